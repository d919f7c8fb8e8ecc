"""Who asks, from where, and under which trace."""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

from shop.domain.values import UserId

CURRENT_TRACE: ContextVar[str] = ContextVar("CURRENT_TRACE", default="")
"""The trace of what this task works on, for log lines; empty outside of any request."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as the audit log names it."""

    text: str

    @classmethod
    def user(cls, user_id: UserId) -> Actor:
        """Name a user of the shop."""
        return cls(f"user:{user_id}")

    @classmethod
    def admin(cls, name: str) -> Actor:
        """Name somebody who runs the shop."""
        return cls(f"admin:{name}"[:100])

    @classmethod
    def system(cls, name: str) -> Actor:
        """Name a part of the shop that acts by itself."""
        return cls(f"system:{name}")

    @classmethod
    def anonymous(cls) -> Actor:
        """Name nobody in particular."""
        return cls("anonymous")


def new_trace_id() -> str:
    """Make a trace id: 32 hexadecimal digits, as W3C Trace Context has it."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Context:
    """What a use case knows of its caller. `origin` says from where the request came, as in `cli`."""

    actor: Actor
    origin: str
    trace_id: str = field(default_factory=new_trace_id)
