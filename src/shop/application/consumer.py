"""Consumers: handle each message once in effect, though it may be delivered more often."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Protocol, TypeAlias

from pydantic import JsonValue, ValidationError

from shop.application.backoff import DEFAULT_BACKOFF, Backoff, wait_unless
from shop.application.broker import BrokerUnavailable, Delivery, Subscription
from shop.application.context import CURRENT_TRACE
from shop.application.messages import Message, UnreadableMessage, decode
from shop.application.outages import Outage
from shop.application.sales import SalesLedger
from shop.application.unit_of_work import CommitOutcomeUnknown, StoreLost, TransactionConflict
from shop.domain.events import Event

_log = logging.getLogger("shop.consumer")


class Verdict(Enum):
    """What became of a message: it was handled, is to come again because something is down, failed, or can never be handled."""

    HANDLED = auto()
    NOT_NOW = auto()
    DEAD = auto()
    FAILED = auto()


Processor: TypeAlias = Callable[[Message], Awaitable[Verdict]]


class InboxEntry(Protocol):
    """A message in the inbox, locked for the length of a transaction."""

    @property
    def is_settled(self) -> bool:
        """Whether it was handled or given up before."""
        ...

    @property
    def sales(self) -> SalesLedger:
        """The sales, in the same transaction."""
        ...

    async def handled(self) -> None:
        """Note that it was handled, and commit that with its effects. Raises `CommitOutcomeUnknown`."""
        ...


class Inbox(Protocol):
    """Remembers what one consumer has handled. Its methods raise `StoreLost` or `TransactionConflict`."""

    def enter(self, message: Message) -> AbstractAsyncContextManager[InboxEntry]:
        """Begin a transaction with a message in it; it is rolled back unless `handled` is called."""
        ...

    async def count_failure(self, message: Message, error: str) -> int:
        """Note that handling a message failed, and give how often it has."""
        ...

    async def give_up(self, message: Message) -> None:
        """Put a message, whose failure was counted, with the dead letters."""
        ...


Handler: TypeAlias = Callable[[Event, Message, SalesLedger], Awaitable[None]]


class OnceInEffect:
    """A `Processor` that does the effects of a message in the transaction that notes it as handled: both happen, or neither.

    A handler that raises is tried again, up to `attempts` times; then the message is a dead letter. An unavailable database counts against
    no message.
    """

    def __init__(self, inbox: Inbox, handler: Handler, *, attempts: int = 5) -> None:
        self._inbox = inbox
        self._handler = handler
        self._attempts = attempts
        self._outage = Outage(_log, "messages wait for the database", "the database answers again")

    async def __call__(self, message: Message) -> Verdict:
        """Handle a message, unless that was done before."""
        try:
            verdict = await self._handle(message)
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown) as lost:
            # After an unknown outcome the message comes again, and the inbox knows then.
            self._outage.begin(lost)
            return Verdict.NOT_NOW
        self._outage.end()
        return verdict

    async def _handle(self, message: Message) -> Verdict:
        try:
            async with self._inbox.enter(message) as entry:
                if entry.is_settled:
                    _log.info("message %s was handled before", message.id)
                    return Verdict.HANDLED
                await self._handler(decode(message), message, entry.sales)
                await entry.handled()
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown):
            raise
        except UnreadableMessage as error:
            await self._inbox.count_failure(message, str(error))
            return await self._give_up(message, error)
        except Exception as error:  # noqa: BLE001 whatever a handler raises must not stop the consumer
            failures = await self._inbox.count_failure(message, f"{type(error).__name__}: {error}")
            _log.warning("handling message %s failed for the %d. time", message.id, failures, exc_info=True)
            return await self._give_up(message, error) if failures >= self._attempts else Verdict.FAILED
        return Verdict.HANDLED

    async def _give_up(self, message: Message, error: Exception) -> Verdict:
        await self._inbox.give_up(message)
        # Its type: what a handler raises may quote the message.
        _log.error("message %s is a dead letter now: %s", message.id, type(error).__name__)
        return Verdict.DEAD


class Consumer:
    """Takes messages from a subscription to a processor, one after the other and in their order, until it is told to stop."""

    def __init__(self, subscription: Subscription, process: Processor, *, wait: float = 0.5, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self._subscription = subscription
        self._process = process
        self._wait = wait
        self._backoff = backoff
        self._outage = Outage(_log, "the broker does not answer", "the broker answers again")

    async def run(self, stop: asyncio.Event) -> int:
        """Handle messages until told to stop, and give how many. The one in work is finished."""
        handled = failures = 0
        while not stop.is_set():
            try:
                handled += await self.run_once()
                failures = 0
            except BrokerUnavailable as lost:
                failures += 1
                self._outage.begin(lost)
                await wait_unless(stop, self._backoff.wait(failures))
        return handled

    async def run_once(self) -> bool:
        """Handle the next message, and tell whether there was one and it was settled. Raises `BrokerUnavailable`."""
        delivery = await self._subscription.next(self._wait)
        self._outage.end()
        return delivery is not None and await self._settle(delivery)

    async def _settle(self, delivery: Delivery) -> bool:
        message = read_message(delivery.body)
        token = CURRENT_TRACE.set(message.trace_id)
        try:
            match await self._process(message):
                case Verdict.HANDLED:
                    await delivery.accept()
                    return True
                case Verdict.DEAD:
                    await delivery.discard()
                    return True
                case Verdict.NOT_NOW | Verdict.FAILED:
                    await delivery.retry(self._backoff.wait(delivery.count))
                    return False
        finally:
            CURRENT_TRACE.reset(token)


def read_message(body: bytes) -> Message:
    """Read what was delivered. What is no message of ours becomes one that no handler knows: a dead letter, always by the same id."""
    try:
        message = Message.model_validate_json(body)
    except ValidationError:
        return _unreadable(body)
    # PostgreSQL keeps no NUL, so the outbox never had one, and the inbox could not put the message with the dead letters.
    return _unreadable(body) if _holds_nul(message.model_dump(mode="json")) else message


def _unreadable(body: bytes) -> Message:
    return Message(
        id=uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(body).hexdigest()),
        aggregate="unreadable",
        event_type="Unreadable",
        payload=body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
        trace_id="",
        occurred_at=datetime.fromtimestamp(0, UTC),
    )


def _holds_nul(value: JsonValue) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(_holds_nul(each) for each in value)
        case dict():
            return any(_holds_nul(key) or _holds_nul(each) for key, each in value.items())
        case _:
            return False
