"""The caller of a use case: actor, origin and trace, and the key under which a request is carried out once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from shop.domain.users import Role
from shop.domain.values import UserId

CURRENT_TRACE: ContextVar[str] = ContextVar("CURRENT_TRACE", default="")
"""The trace id of the current task, for log lines; empty outside a request."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of a use case, as named in the audit log. Only a user has a `user_id`, and only an anonymous actor has no role."""

    text: str
    role: Role | None = None
    user_id: UserId | None = None

    @classmethod
    def user(cls, user_id: UserId, role: Role = Role.CUSTOMER) -> Actor:
        """Return a user of the shop."""
        return cls(f"user:{user_id}", role, user_id)

    @classmethod
    def admin(cls, name: str) -> Actor:
        """Return an operator of the shop."""
        return cls(f"admin:{name}"[:100], Role.ADMIN)

    @classmethod
    def system(cls, name: str) -> Actor:
        """Return a background process of the shop."""
        return cls(f"system:{name}", Role.ADMIN)

    @classmethod
    def anonymous(cls) -> Actor:
        """Return the actor of a request without a login."""
        return cls("anonymous")


def new_trace_id() -> str:
    """Return a new trace id: 32 hexadecimal digits, as in W3C Trace Context."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is carried out at most once, however often it is sent under its key, which the caller chose.

    `fingerprint` identifies its content. `answer` encodes the value of the use case as it is stored, for later requests under this key.
    """

    key: str
    fingerprint: bytes
    answer: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of a use case. `origin` is where the request came from: a way, an address and a client, as in `http 192.0.2.1 curl/8`."""

    actor: Actor
    origin: str
    trace_id: str = field(default_factory=new_trace_id)
    once: Once | None = None

    @property
    def address(self) -> str:
        """The address of the origin; the client's own name, which follows it, may be anything."""
        words = self.origin.split(" ", 2)
        return words[1] if len(words) > 1 else self.origin
