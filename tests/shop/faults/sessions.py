"""Users with their sessions, and what is known of each session: which requests may have ended it, and which surely have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from shop.domain.values import UserId


@dataclass(eq=False, slots=True)
class End:
    """A request that ends sessions, or replaces a password, from its beginning until it can no longer take effect."""

    began: int
    ended: float = inf
    is_over: bool = False
    """Whether it was answered; without an acknowledgement it may take effect later."""
    is_done: bool = False
    """Whether it was acknowledged."""

    def may_affect(self, began: int, ended: int) -> bool:
        """Return whether it may have taken effect between two times."""
        return self.began < ended and began < self.ended


@dataclass(eq=False, slots=True)
class Session:
    """A session as its client knows it: the times of its login, and until when its access token is surely valid, and may be."""

    id: str
    access: str
    refresh: str
    began: int
    opened: int
    fresh_until: float
    valid_until: float
    ends: list[End] = field(default_factory=list[End])


@dataclass(eq=False, slots=True)
class Secret:
    """A password, and the change that replaces it."""

    text: str
    replaced: End | None = None


@dataclass(eq=False)
class Human:
    """A user with several devices. `ends` are those of all sessions."""

    id: UserId
    email: str
    password: Secret
    version: int = 1
    sessions: list[Session] = field(default_factory=list[Session])
    ends: list[End] = field(default_factory=list[End])
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def may_have_ended(self, session: Session, at: int, but: End | None = None) -> bool:
        """Return whether a session may have ended before a time, by another request than `but`."""
        return any(each.may_affect(session.began, at) for each in (*self.ends, *session.ends) if each is not but)

    def has_ended(self, session: Session, at: int) -> bool:
        """Return whether a session had surely ended at a time."""
        return _is_ended(session, at, (*self.ends, *session.ends))

    def has_ended_everywhere(self, session: Session, at: int) -> bool:
        """Return whether it had surely ended in all processes: by an end of all sessions."""
        return _is_ended(session, at, self.ends)

    def acknowledge(self, end: End, now: int) -> None:
        """Record that an end of all sessions was acknowledged. Those of unknown outcome are over: they lock the same row."""
        for each in self.ends:
            if each.is_over:
                each.ended = min(each.ended, now)
        end.ended, end.is_over, end.is_done = now, True, True


def _is_ended(session: Session, at: int, ends: Iterable[End]) -> bool:
    return any(each.is_done and session.opened < each.began and each.ended < at for each in ends)
