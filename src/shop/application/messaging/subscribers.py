"""In-process subscribers: called with the events of a transaction after its commit, before the caller is answered.

They are for what may be lost, since the process may die in between: the events themselves are in the outbox, for the consumers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from shop.application.transactions.runner import AfterCommit
from shop.domain.events import Event

_log = logging.getLogger("shop.subscribers")


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What handles events of some types. It is not called for a transaction without any."""

    types: tuple[type[Event], ...]
    handle: AfterCommit


class Subscribers:
    """Calls subscribers in their order. One that fails is logged, and prevents no other."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = subscribers

    async def __call__(self, events: Sequence[Event]) -> None:
        """Call each subscriber with the events of its types, in the order in which they occurred."""
        for subscriber in self._subscribers:
            chosen = [event for event in events if isinstance(event, subscriber.types)]
            if chosen:
                try:
                    await subscriber.handle(chosen)
                except Exception:  # noqa: BLE001 the transaction is committed, and the others have nothing to do with it
                    _log.exception("a subscriber failed after the commit")
