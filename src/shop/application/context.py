"""The caller of a use case: actor, origin and trace."""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

from shop.domain.values import UserId

CURRENT_TRACE: ContextVar[str] = ContextVar("CURRENT_TRACE", default="")
"""The trace id of the current task, for log lines; empty outside a request."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of a use case, as named in the audit log."""

    text: str

    @classmethod
    def user(cls, user_id: UserId) -> Actor:
        """Return a user of the shop."""
        return cls(f"user:{user_id}")

    @classmethod
    def admin(cls, name: str) -> Actor:
        """Return an operator of the shop."""
        return cls(f"admin:{name}"[:100])

    @classmethod
    def system(cls, name: str) -> Actor:
        """Return a background process of the shop."""
        return cls(f"system:{name}")

    @classmethod
    def anonymous(cls) -> Actor:
        """Return the actor of a request without a login."""
        return cls("anonymous")


def new_trace_id() -> str:
    """Return a new trace id: 32 hexadecimal digits, as in W3C Trace Context."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of a use case. `origin` is where the request came from, as in `cli`."""

    actor: Actor
    origin: str
    trace_id: str = field(default_factory=new_trace_id)
