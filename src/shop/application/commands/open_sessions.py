"""Which sessions are open, asked on each request and remembered for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from shop.application.commands.session_store import SessionStore, SessionStoreLost
from shop.application.outages import Outage
from shop.domain.values import UserId

_log = logging.getLogger("shop.sessions")

# Sessions remembered: the oldest answers are forgotten first.
_AT_MOST: Final = 10_000
# Seconds without a question to a store that did not answer.
_PAUSE: Final = 1.0


class OpenSessions:
    """Asks the store, and remembers each answer for `keep` seconds: so long a session may seem open that another process ended.

    A session that this process ended is closed at once. While the store is lost every session counts as open, since the access token
    that names it was verified, and expires soon.
    """

    def __init__(self, store: SessionStore, keep: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._keep = keep
        self._clock = clock
        self._known: dict[str, tuple[UserId | None, float]] = {}
        self._outage = Outage(_log, "sessions are not looked up, and end with their access tokens", "sessions are looked up again")
        self._paused_until = 0.0

    async def is_open(self, session_id: str, user_id: UserId) -> bool:
        """Return whether a session is open, and is that of the user."""
        now = self._clock()
        owner, until = self._known.get(session_id, (None, 0.0))
        if until > now:
            return owner == user_id
        if self._outage.is_on and now < self._paused_until:
            return True
        try:
            found = await self._store.get(session_id)
        except SessionStoreLost as lost:
            self._paused_until = self._clock() + _PAUSE
            self._outage.begin(lost)
            return True
        self._outage.end()
        owner = None if found is None else found.user_id
        # By the time of the question: the answer was true then.
        self._remember(session_id, owner, until=now + self._keep)
        return owner == user_id

    def closed(self, session_id: str) -> None:
        """Remember that a session has ended, which stays so."""
        self._remember(session_id, None, until=float("inf"))

    def _remember(self, session_id: str, owner: UserId | None, *, until: float) -> None:
        """Remember whose session it is, None for a session that has ended or never was."""
        if session_id in self._known and self._known.pop(session_id)[0] is None:
            # An answer that was on its way when the session ended.
            owner, until = None, float("inf")
        self._known[session_id] = (owner, until)
        if len(self._known) > _AT_MOST:
            del self._known[next(iter(self._known))]
