"""Which sessions are open, asked on each request and remembered for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from shop.application.commands.session_store import SessionStore, SessionStoreLost
from shop.application.outages import Outage

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
        self._known: dict[str, tuple[bool, float]] = {}
        self._outage = Outage(_log, "sessions are not looked up, and end with their access tokens", "sessions are looked up again")
        self._paused_until = 0.0

    async def is_open(self, session_id: str) -> bool:
        """Return whether a session is open."""
        now = self._clock()
        is_open, until = self._known.get(session_id, (True, 0.0))
        if until > now:
            return is_open
        if self._outage.is_on and now < self._paused_until:
            return True
        try:
            found = await self._store.get(session_id) is not None
        except SessionStoreLost as lost:
            self._paused_until = self._clock() + _PAUSE
            self._outage.begin(lost)
            return True
        self._outage.end()
        # By the time of the question: the answer was true then.
        self._remember(session_id, is_open=found, until=now + self._keep)
        return found

    def closed(self, session_id: str) -> None:
        """Remember that a session has ended, which stays so."""
        self._remember(session_id, is_open=False, until=float("inf"))

    def _remember(self, session_id: str, *, is_open: bool, until: float) -> None:
        if self._known.pop(session_id, (True, 0.0))[0] is False:
            # An answer that was on its way when the session ended.
            is_open, until = False, float("inf")
        self._known[session_id] = (is_open, until)
        if len(self._known) > _AT_MOST:
            del self._known[next(iter(self._known))]
