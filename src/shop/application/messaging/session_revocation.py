"""The end of sessions after a change of password or a deletion: right after the commit, and reliably by the consumer `sessions`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from shop.application.commands.session_store import SessionStore, SessionStoreLost
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.outages import SETTLED, Outage
from shop.domain.events import Event, UserDeleted, UserPasswordChanged

_log = logging.getLogger("shop.sessions")

EVENTS: Final = (UserPasswordChanged, UserDeleted)
"""The events that end sessions."""


class SessionRevocation:
    """Ends sessions. It is naturally idempotent, so its consumer needs no inbox."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        lost, back = "sessions are not ended after the commit, but by the consumer", "sessions are ended after the commit again"
        self._outage = Outage(_log, lost, back, settled=SETTLED)

    async def after_commit(self, events: Sequence[Event]) -> None:
        """End the sessions that the events make invalid, before the writer is answered."""
        try:
            for event in events:
                await self._revoke(event)
        except SessionStoreLost as lost:
            self._outage.begin(lost)
        else:
            self._outage.end()

    async def process(self, event: Event, _: Message) -> Verdict:
        """End the sessions that an event makes invalid; its message is redelivered until the store answers."""
        try:
            await self._revoke(event)
        except SessionStoreLost:
            return Verdict.NOT_NOW
        return Verdict.HANDLED

    async def _revoke(self, event: Event) -> None:
        if isinstance(event, UserPasswordChanged | UserDeleted):
            await self._store.close_all(event.user_id)
