"""The consumer: passes the messages of a subscription to a processor, one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import TypeAlias

from shop.application.context import CURRENT_TRACE
from shop.application.messaging.backoff import DEFAULT_BACKOFF, Backoff, wait_unless
from shop.application.messaging.broker import BrokerUnavailable, Delivery, Subscription
from shop.application.messaging.messages import Message, read_message
from shop.application.outages import Outage

_log = logging.getLogger("shop.consumer")


class Verdict(Enum):
    """The result of processing a message."""

    SKIPPED = auto()
    """It is of a type that the consumer does not handle."""
    HANDLED = auto()
    """It was handled, now or before."""
    NOT_NOW = auto()
    """A dependency is down; the message is to be redelivered."""
    FAILED = auto()
    """Handling it failed; the message is to be redelivered."""
    DEAD = auto()
    """It cannot be handled and is a dead letter."""


Processor: TypeAlias = Callable[[Message], Awaitable[Verdict]]


class Consumer:
    """Processes messages until it is stopped: those of a subscription in their order, and those of several subscriptions concurrently."""

    def __init__(
        self, subscriptions: Sequence[Subscription], process: Processor, *, wait: float = 0.5, backoff: Backoff = DEFAULT_BACKOFF
    ) -> None:
        self._subscriptions = subscriptions
        self._process = process
        self._wait = wait
        self._backoff = backoff
        self._outage = Outage(_log, "the broker does not answer", "the broker answers again")

    async def run(self, stop: asyncio.Event) -> int:
        """Process messages until `stop` is set, and return the number of settled ones. The current messages are finished."""
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(self._run(subscription, stop)) for subscription in self._subscriptions]
        except BaseExceptionGroup as errors:
            # One of them ends the program as well, with its own report.
            raise errors.exceptions[0] from None
        return sum(each.result() for each in running)

    async def _run(self, subscription: Subscription, stop: asyncio.Event) -> int:
        handled = failures = 0
        while not stop.is_set():
            try:
                handled += await self._run_once(subscription)
                failures = 0
            except BrokerUnavailable as lost:
                failures += 1
                self._outage.begin(lost)
                await wait_unless(stop, self._backoff.wait(failures))
        return handled

    async def run_once(self) -> int:
        """Process the next message of each subscription, and return how many were settled. Raises `BrokerUnavailable`."""
        return sum(await asyncio.gather(*map(self._run_once, self._subscriptions)))

    async def _run_once(self, subscription: Subscription) -> bool:
        delivery = await subscription.next(self._wait)
        self._outage.end()
        return delivery is not None and await self._settle(delivery)

    async def _settle(self, delivery: Delivery) -> bool:
        message = read_message(delivery.body, delivery.traceparent)
        token = CURRENT_TRACE.set(message.trace_id)
        try:
            match await self._process(message):
                case Verdict.HANDLED | Verdict.SKIPPED:
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
