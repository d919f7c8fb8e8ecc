"""The port that stores sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shop.domain.values import UserId


class SessionStoreLost(Exception):
    """The session store does not answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session, from a login until it ends. `origin` is where the login came from. Its id cannot be used to log in."""

    id: str
    user_id: UserId
    generation: int
    origin: str
    opened_at: datetime
    refreshed_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class ReusedToken:
    """A refresh token was used for the second time: two have it, and one of them stole it. Its session has been ended."""

    session: Session


class SessionStore(Protocol):
    """Stores sessions with the digest of their current refresh token, so that its content cannot be used to log in.

    Every method raises `SessionStoreLost`. What happens to one session happens in one step.
    """

    async def open(self, session_id: str, digest: str, user_id: UserId, generation: int, origin: str, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime. After `SessionStoreLost` it may be there, now or later: its tokens are unused."""
        ...

    async def get(self, session_id: str) -> Session | None:
        """Return a session, None if it has ended or never was."""
        ...

    async def rotate(self, session_id: str, used: str, following: str) -> Session | ReusedToken | None:
        """Replace the digest `used` by `following`, and return the session. If another digest is the current one, end the session.

        After `SessionStoreLost`, `used` can still be rotated, by a client that tries again.
        """
        ...

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """Return the sessions of a user, the latest first."""
        ...

    async def close(self, session_id: str) -> None:
        """End a session, if there is one."""
        ...

    async def close_all(self, user_id: UserId, before: int | None = None) -> None:
        """End the sessions of a user, or only those of the generations before one.

        What was asked may be carried out much later, so it names a generation where the user may log in meanwhile.
        """
        ...
