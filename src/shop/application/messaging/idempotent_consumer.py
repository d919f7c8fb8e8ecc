"""The idempotent consumer: each message takes effect once, however often it is delivered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypeAlias, TypeVar

from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import Graveyard
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.failures import CommitOutcomeUnknown, StoreLost, TransactionConflict
from shop.domain.events import Event

F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)

_log = logging.getLogger("shop.consumer")


class NotReady(Exception):
    """What a handler depends on does not answer. The message waits for it, and no failure is counted."""


class InboxEntry(Protocol[F_co]):
    """A message in the inbox, locked until the end of its transaction."""

    @property
    def is_settled(self) -> bool:
        """Whether the message was handled before or is a dead letter."""
        ...

    @property
    def effects(self) -> F_co:
        """What the consumer's handler writes to, in the same transaction."""
        ...

    async def handled(self) -> None:
        """Mark the message as handled, and commit together with the effects. Raises `CommitOutcomeUnknown`."""
        ...


class Inbox(Graveyard, Protocol[F_co]):
    """Stores which messages a consumer has handled. Its methods raise `StoreLost` or `TransactionConflict`."""

    def enter(self, message: Message) -> AbstractAsyncContextManager[InboxEntry[F_co]]:
        """Begin a transaction and lock the message in it; it is rolled back unless `handled` is called."""
        ...


Handler: TypeAlias = Callable[[Event, Message, F], Awaitable[None]]
"""Handles an event by writing to the effects of its consumer."""


class IdempotentConsumer(Generic[F]):
    """An `EventProcessor` that commits the effects of a message together with its inbox entry.

    If the handler raises, the message is redelivered, up to `attempts` times; then it is a dead letter. `NotReady` does not count as a
    failure, nor do `StoreLost`, `TransactionConflict` and `CommitOutcomeUnknown`, which are raised.
    """

    def __init__(self, inbox: Inbox[F], handler: Handler[F], *, attempts: int = 5) -> None:
        self._inbox = inbox
        self._handler = handler
        self._attempts = attempts
        self._outage = Outage(_log, "messages wait", "messages are handled again", settled=SETTLED)

    async def __call__(self, event: Event, message: Message) -> Verdict:
        """Handle an event, unless its message was handled before."""
        try:
            async with self._inbox.enter(message) as entry:
                if entry.is_settled:
                    _log.info("message %s was handled before", message.id)
                    return Verdict.HANDLED
                await self._handler(event, message, entry.effects)
                await entry.handled()
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown):
            raise
        except NotReady as lost:
            self._outage.begin(lost)
            return Verdict.NOT_NOW
        except Exception as error:  # noqa: BLE001 no error of a handler may stop the consumer
            failures = await self._inbox.count_failure(message, f"{type(error).__name__}: {error}")
            _log.warning("handling message %s failed, attempt %d", message.id, failures, exc_info=True)
            return await self._bury(message, error) if failures >= self._attempts else Verdict.FAILED
        self._outage.end()
        return Verdict.HANDLED

    async def _bury(self, message: Message, error: Exception) -> Verdict:
        await self._inbox.bury(message)
        # Only its type: the text of a handler's error may quote the message.
        _log.error("message %s is a dead letter now: %s", message.id, type(error).__name__)
        return Verdict.DEAD
