"""`SessionStore` in memory, for a service without Redis: of one process, until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shop.application.commands.session_store import ReusedToken, Session
from shop.domain.values import UserId


class MemorySessionStore:
    """Sessions, each with the digest of its refresh token."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[Session, str]] = {}

    async def open(self, session_id: str, digest: str, user_id: UserId, generation: int, origin: str, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime."""
        now = datetime.now(UTC)
        self._sessions = {each: kept for each, kept in self._sessions.items() if kept[0].ends_at > now}
        self._sessions[session_id] = (Session(session_id, user_id, generation, origin, now, now, now + lifetime), digest)

    async def get(self, session_id: str) -> Session | None:
        """Return a session, None if it has ended or never was."""
        session, _ = self._sessions.get(session_id, (None, ""))
        return session if session is not None and session.ends_at > datetime.now(UTC) else None

    async def rotate(self, session_id: str, used: str, following: str) -> Session | ReusedToken | None:
        """Replace the digest `used` by `following`, and return the session. If another digest is the current one, end the session."""
        session = await self.get(session_id)
        if session is None:
            return None
        if self._sessions[session_id][1] != used:
            del self._sessions[session_id]
            return ReusedToken(session)
        refreshed = replace(session, refreshed_at=datetime.now(UTC))
        self._sessions[session_id] = (refreshed, following)
        return refreshed

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """Return the sessions of a user, the latest first."""
        found = [each for each, _ in self._sessions.values() if each.user_id == user_id and each.ends_at > datetime.now(UTC)]
        return found[::-1]

    async def close(self, session_id: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(session_id, None)

    async def close_all(self, user_id: UserId, before: int | None = None) -> None:
        """End the sessions of a user, or only those of the generations before one."""
        for session in await self.of_user(user_id):
            if before is None or session.generation < before:
                await self.close(session.id)
