"""The port of access tokens: what a request proves its session by, without asking where sessions are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shop.domain.values import UserId


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token states: a user, a session, and the generation of the user's sessions that it belongs to."""

    user_id: UserId
    session_id: str
    generation: int


class NoSigningKey(Exception):
    """There is no key that signs. The text has no key."""


class AccessTokens(Protocol):
    """Signs and verifies access tokens."""

    @property
    def lifetime(self) -> timedelta:
        """How long a token is valid."""
        ...

    def issue(self, claims: AccessClaims) -> str:
        """Sign a token, which is valid from now on. Raises `NoSigningKey`."""
        ...

    def read(self, token: str) -> AccessClaims | None:
        """Return what a token states, None unless it is one of ours and valid now."""
        ...

    def published(self) -> Sequence[Mapping[str, str]]:
        """Return the public keys, as in a JSON Web Key Set (RFC 7517)."""
        ...
