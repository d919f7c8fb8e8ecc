"""The idempotent consumer: each message takes effect once, however often it is delivered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypeAlias, TypeVar

from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import Graveyard
from shop.domain.events import Event

F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)

_log = logging.getLogger("shop.consumer")


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
        """Mark the message as handled, and commit together with the effects. Raises `CommitOutcomeUnknown`.

        For a settled message, return when what settled it is as safe as a commit.
        """
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

    What the handler raises is for the `MessageReader`, after the transaction is rolled back.
    """

    def __init__(self, inbox: Inbox[F], handler: Handler[F]) -> None:
        self._inbox = inbox
        self._handler = handler

    async def __call__(self, event: Event, message: Message) -> Verdict:
        """Handle an event, unless its message was handled before."""
        async with self._inbox.enter(message) as entry:
            if entry.is_settled:
                _log.info("message %s was handled before", message.id)
            else:
                await self._handler(event, message, entry.effects)
            # Also of a settled message, whose acknowledgement must not overtake the replication of what settled it.
            await entry.handled()
        return Verdict.HANDLED
