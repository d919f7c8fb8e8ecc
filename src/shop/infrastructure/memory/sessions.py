"""`SessionStore` in memory, for a service without Redis: of one process, until it ends."""

from __future__ import annotations

import time
from datetime import timedelta

from shop.domain.values import UserId


class MemorySessionStore:
    """Sessions with their times of expiry."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[UserId, float]] = {}

    async def open(self, digest: str, user_id: UserId, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime."""
        now = time.monotonic()
        self._sessions = {each: kept for each, kept in self._sessions.items() if kept[1] > now}
        self._sessions[digest] = (user_id, now + lifetime.total_seconds())

    async def holder(self, digest: str) -> UserId | None:
        """Return whose session this is, None if there is none."""
        user_id, ends = self._sessions.get(digest, (None, 0.0))
        return user_id if ends > time.monotonic() else None

    async def close(self, digest: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(digest, None)

    async def close_all(self, user_id: UserId) -> None:
        """End all sessions of a user."""
        self._sessions = {digest: kept for digest, kept in self._sessions.items() if kept[0] != user_id}
