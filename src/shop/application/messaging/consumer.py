"""The consumer: passes the messages of subscriptions to a processor."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias

from shop.application.context import CURRENT_TRACE
from shop.application.messaging.backoff import DEFAULT_BACKOFF, Backoff, wait_unless
from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable, Delivery, Subscription
from shop.application.messaging.messages import Message, read_message
from shop.application.outages import SETTLED, Outage

_log = logging.getLogger("shop.consumer")


class Verdict(Enum):
    """The result of processing a message."""

    SKIPPED = auto()
    """It is of a type that the consumer does not handle."""
    HANDLED = auto()
    """It was handled, now or before."""
    NOT_NOW = auto()
    """A dependency is down; the message is to be redelivered."""
    LATER = auto()
    """This message has to wait, and no other does; it is to be redelivered."""
    DEAD = auto()
    """It cannot be handled and is a dead letter."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The result of processing a message whose handler failed, for this number of times; the message is to be redelivered."""

    failures: int


_SETTLED: Final = frozenset({Verdict.HANDLED, Verdict.SKIPPED, Verdict.DEAD})

Processor: TypeAlias = Callable[[Message], Awaitable[Verdict | Failed]]

RESULTS: Final = (*(each.name.lower() for each in Verdict), "failed")
"""The names of all results of processing a message."""


def name_of(result: Verdict | Failed) -> str:
    """Return the name of a result."""
    return "failed" if isinstance(result, Failed) else result.name.lower()


@dataclass(slots=True)
class _Current:
    """A subscription whose messages are processed at the same time: their tasks, how many were settled, and the failures in a row."""

    subscription: Subscription
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    settled: int = 0
    failures: int = 0


class Consumer:
    """Processes messages until it is stopped: those of a subscription one after the other, and those of several subscriptions concurrently.

    While a dependency is down it waits between two messages, increasingly: where a subscription is not ordered, all of its messages
    would be tried all the time. `after_failure` are the waits of a message whose handler failed, by the number of its failures: deliveries
    for other reasons do not prolong them.

    With `at_once`, as many messages are processed at the same time, whatever their subscription. A message is requested only when there is
    a turn for it, so that none waits here; and those that are not finished when the consumer is stopped are cancelled and redelivered.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        process: Processor,
        *,
        wait: float = 0.5,
        backoff: Backoff = DEFAULT_BACKOFF,
        after_failure: Backoff | None = None,
        at_once: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subscriptions = subscriptions
        self._process = process
        self._wait = wait
        self._backoff = backoff
        self._after_failure = after_failure or backoff
        self._at_once = at_once
        self._outage = Outage(_log, "the broker does not answer", "the broker answers again", settled=SETTLED, clock=clock)

    async def run(self, stop: asyncio.Event) -> int:
        """Process messages until `stop` is set, and return the number of settled ones. Raises `BrokerMisconfigured`.

        The current messages are finished, or with `at_once` cancelled.
        """
        turns = None if self._at_once is None else asyncio.Semaphore(self._at_once)
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(self._run(each, stop) if turns is None else self._run_at_once(each, stop, turns))
                    for each in self._subscriptions
                ]
        except BaseExceptionGroup as errors:
            # One of them ends the program as well, with its own report.
            raise errors.exceptions[0] from None
        return sum(each.result() for each in running)

    async def _run(self, subscription: Subscription, stop: asyncio.Event) -> int:
        handled = failures = 0
        while not stop.is_set():
            try:
                verdict = await self._run_once(subscription)
            except BrokerMisconfigured:
                raise
            except BrokerUnavailable as lost:
                self._outage.begin(lost)
                verdict = Verdict.NOT_NOW
            handled += verdict in _SETTLED
            failures = failures + 1 if verdict is Verdict.NOT_NOW else 0
            if failures:
                await wait_unless(stop, self._backoff.wait(failures))
        return handled

    async def _run_at_once(self, subscription: Subscription, stop: asyncio.Event, turns: asyncio.Semaphore) -> int:
        current = _Current(subscription)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._request(current, stop, turns, group))
                await stop.wait()
                for task in current.tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            # As above.
            raise errors.exceptions[0] from None
        return current.settled

    async def _request(self, current: _Current, stop: asyncio.Event, turns: asyncio.Semaphore, group: asyncio.TaskGroup) -> None:
        def done(task: asyncio.Task[None]) -> None:
            current.tasks.discard(task)
            turns.release()

        while not stop.is_set():
            await turns.acquire()
            delivery = None
            try:
                delivery = await current.subscription.next(self._wait)
                self._outage.end()
            except BrokerMisconfigured:
                raise
            except BrokerUnavailable as lost:
                self._outage.begin(lost)
                current.failures += 1
            if delivery is None:
                turns.release()
            else:
                task = group.create_task(self._settle_unless(stop, current, delivery))
                current.tasks.add(task)
                task.add_done_callback(done)
            if current.failures:
                await wait_unless(stop, self._backoff.wait(current.failures))

    async def _settle_unless(self, stop: asyncio.Event, current: _Current, delivery: Delivery) -> None:
        # Those that arrive with the stop are not cancelled by it.
        if stop.is_set():
            return await delivery.retry(0)
        try:
            verdict = await self._settle(delivery)
        except asyncio.CancelledError:
            await delivery.retry(0)
            raise
        current.settled += verdict in _SETTLED
        current.failures = current.failures + 1 if verdict is Verdict.NOT_NOW else 0
        return None

    async def run_once(self) -> int:
        """Process the next message of each subscription, and return how many were settled. Raises `BrokerUnavailable`."""
        verdicts = await asyncio.gather(*map(self._run_once, self._subscriptions))
        return sum(verdict in _SETTLED for verdict in verdicts)

    async def _run_once(self, subscription: Subscription) -> Verdict | Failed | None:
        delivery = await subscription.next(self._wait)
        self._outage.end()
        return None if delivery is None else await self._settle(delivery)

    async def _settle(self, delivery: Delivery) -> Verdict | Failed:
        message = read_message(delivery.body, delivery.traceparent)
        token = CURRENT_TRACE.set(message.trace_id)
        try:
            verdict = await self._process(message)
            match verdict:
                case Verdict.HANDLED | Verdict.SKIPPED:
                    await delivery.accept()
                case Verdict.DEAD:
                    await delivery.discard()
                case Verdict.NOT_NOW | Verdict.LATER:
                    await delivery.retry(self._backoff.wait(delivery.count))
                case Failed(failures):
                    await delivery.retry(self._after_failure.wait(failures))
            return verdict
        finally:
            CURRENT_TRACE.reset(token)
