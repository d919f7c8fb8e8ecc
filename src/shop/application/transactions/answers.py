"""Requests that are carried out once: the port that stores their answers, and what a repeated request receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What is stored under a key: the fingerprint of the request, and its answer."""

    fingerprint: bytes
    answer: bytes


class Answers(Protocol):
    """Stores the answers to requests, in its caller's transaction: an answer exists if and only if its effects do."""

    async def lock(self, scope: str, key: str) -> bool:
        """Lock a key until the end of the transaction, and return whether it was free. Does not wait."""
        ...

    async def get(self, scope: str, key: str) -> StoredAnswer | None:
        """Return the answer that was stored under a key."""
        ...

    async def await_replication(self) -> None:
        """Have the commit of this transaction wait as if it wrote: whatever was committed before is on the standbys then."""
        ...

    async def add(self, scope: str, key: str, subject: str, stored: StoredAnswer) -> None:
        """Store the answer of a request whose key this transaction has locked. It goes with its subject, when a user is erased."""
        ...


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """The request was carried out before, under the same key, with this answer; nothing was done now."""

    answer: bytes

    def __str__(self) -> str:
        return "the request was carried out before"


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A request under the same key is being carried out; nothing was done by this one."""

    key: str

    def __str__(self) -> str:
        return "a request under the same key is being carried out; try again"


@dataclass(frozen=True, slots=True)
class KeyReused:
    """Another request was carried out under the same key; nothing was done."""

    key: str

    def __str__(self) -> str:
        return "the key belongs to another request; use a new key"
