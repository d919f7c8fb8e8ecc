"""The end of sessions after a change of password or a deletion: right after the commit, and reliably by the consumer `sessions`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shop.application.commands.session_store import SessionStore, SessionStoreLost
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.outages import SETTLED, Outage
from shop.application.reads.users import Standing
from shop.application.transactions.failures import Unavailable
from shop.domain.events import Event, UserDeleted, UserPasswordChanged
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

_log = logging.getLogger("shop.sessions")

EVENTS: Final = (UserPasswordChanged, UserDeleted)
"""The events that end sessions."""


class _UsersLost(Exception):
    """The generation of a user's sessions cannot be read."""


class SessionRevocation:
    """Ends the sessions of earlier generations, and all of a deleted user. It is idempotent, so its consumer needs no inbox.

    An event may be handled, or handled again, when the user has logged in anew.
    """

    def __init__(self, store: SessionStore, standing: Callable[[UserId], Awaitable[Result[Standing | None, Unavailable]]]) -> None:
        self._store = store
        self._standing = standing
        lost, back = "sessions are not ended after the commit, but by the consumer", "sessions are ended after the commit again"
        self._outage = Outage(_log, lost, back, settled=SETTLED)

    async def after_commit(self, events: Sequence[Event]) -> None:
        """End the sessions that the events make invalid, before the writer is answered."""
        try:
            for event in events:
                await self._revoke(event)
        except (SessionStoreLost, _UsersLost) as lost:
            self._outage.begin(lost)
        else:
            self._outage.end()

    async def process(self, event: Event, _: Message) -> Verdict:
        """End the sessions that an event makes invalid; its message is redelivered until the store answers."""
        try:
            await self._revoke(event)
        except (SessionStoreLost, _UsersLost):
            return Verdict.NOT_NOW
        return Verdict.HANDLED

    async def _revoke(self, event: Event) -> None:
        if isinstance(event, UserPasswordChanged | UserDeleted):
            match await self._standing(event.user_id):
                case Ok(standing):
                    await self._store.close_all(event.user_id, None if standing is None else standing.session_generation)
                case Err(unavailable):
                    raise _UsersLost(str(unavailable))
