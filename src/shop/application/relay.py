"""The relay: takes events from the outbox to the broker, each at least once, and those of one aggregate in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shop.application.backoff import DEFAULT_BACKOFF, Backoff, wait_unless
from shop.application.broker import BrokerUnavailable, MessageRefused, Place, Publisher
from shop.application.messages import Message
from shop.application.outages import Outage
from shop.application.unit_of_work import StoreLost, TransactionConflict

_log = logging.getLogger("shop.relay")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox: its place there, and how often the broker has refused it."""

    position: int
    attempts: int
    message: Message


class ClaimedBatch(Protocol):
    """Messages that nobody else publishes until the lease is over: at most one of each aggregate.

    What is recorded is kept at once, each alone, if the claim still holds. Both methods raise `StoreLost` or `TransactionConflict`.
    """

    @property
    def waiting(self) -> Sequence[Waiting]:
        """The messages."""
        ...

    async def published(self, places: Mapping[int, Place]) -> None:
        """Record where the broker has stored messages, by their positions.

        What was recorded at one of these places before was lost by the broker, and waits again.
        """
        ...

    async def refused(self, position: int, error: str, retry_after: float, *, give_up: bool) -> None:
        """Record that the broker refused one."""
        ...


class OutboxQueue(Protocol):
    """What waits in the outbox."""

    def claim(self, most: int, lease: float) -> AbstractAsyncContextManager[ClaimedBatch]:
        """Claim the next messages for the length of the block, and for so many seconds at most. No transaction is open meanwhile.

        At the end of the block what was not recorded is free again. Raises `StoreLost` or `TransactionConflict`; then it is free when the
        lease is over.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the outbox did."""

    published: int
    refused: int
    is_broker_lost: bool


class Relay:
    """Publishes what waits. Any number of relays may run at once; one that is frozen or dead holds nothing back for longer than its lease.

    A broker that does not answer is waited for, and counts against no message. A message that the broker refuses is tried again with
    growing pauses, while later ones of its aggregate wait behind it, and is given up after `attempts`.
    """

    def __init__(
        self,
        queue: OutboxQueue,
        publisher: Publisher,
        *,
        batch_size: int = 100,
        lease: float = 5.0,
        attempts: int = 8,
        idle: float = 0.2,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        self._queue = queue
        self._publisher = publisher
        self._batch_size = batch_size
        self._lease = lease
        self._attempts = attempts
        self._idle = idle
        self._backoff = backoff
        self._broker_outage = Outage(_log, "the broker does not answer, and messages wait", "the broker answers again")
        self._outbox_outage = Outage(_log, "the outbox cannot be read", "the outbox can be read again")

    async def run(self, stop: asyncio.Event) -> int:
        """Publish until told to stop, and give how many were published. A pass that has begun is finished."""
        published = failures = 0
        while not stop.is_set():
            try:
                done = await self.run_once()
            except (StoreLost, TransactionConflict) as lost:
                self._outbox_outage.begin(lost)
                failures += 1
                await wait_unless(stop, self._backoff.wait(failures))
                continue
            published += done.published
            failures = failures + 1 if done.is_broker_lost else 0
            if done.is_broker_lost:
                await wait_unless(stop, self._backoff.wait(failures))
            elif not done.published:
                await wait_unless(stop, self._idle)
        return published

    async def run_until_empty(self) -> int:
        """Publish until nothing is due, and give how many were. Raises `BrokerUnavailable`, `StoreLost` or `TransactionConflict`."""
        published = 0
        while True:
            done = await self.run_once()
            published += done.published
            if done.is_broker_lost:
                raise BrokerUnavailable("the broker does not answer")
            if not done.published and not done.refused:
                return published

    async def run_once(self) -> Pass:
        """Publish one batch. Raises `StoreLost` or `TransactionConflict`; what was published then is published again."""
        # From before the claim: the lease is never over for the others while it holds here.
        until = asyncio.get_running_loop().time() + self._lease
        async with self._queue.claim(self._batch_size, self._lease) as batch:
            self._outbox_outage.end()
            # At once, which is fine: no two are of one aggregate.
            outcomes = await asyncio.gather(*(self._publish(waiting, until) for waiting in batch.waiting))
            pairs = list(zip(batch.waiting, outcomes, strict=True))
            stored = {waiting.position: outcome for waiting, outcome in pairs if isinstance(outcome, Place)}
            if stored:
                await batch.published(stored)
            refused = [(waiting, outcome) for waiting, outcome in pairs if isinstance(outcome, MessageRefused)]
            for waiting, outcome in refused:
                await self._refuse(batch, waiting, outcome)
        lost = [outcome for outcome in outcomes if isinstance(outcome, BrokerUnavailable)]
        if lost:
            self._broker_outage.begin(lost[0])
        elif stored:
            self._broker_outage.end()
        if stored:
            _log.debug("published %d messages", len(stored))
        return Pass(len(stored), len(refused), bool(lost))

    async def _publish(self, waiting: Waiting, until: float) -> Place | BrokerUnavailable | MessageRefused:
        # Not begun when the lease is over, as after this process was frozen: another relay may be further by then.
        if asyncio.get_running_loop().time() >= until:
            return BrokerUnavailable("the lease was over before the message was sent")
        try:
            async with asyncio.timeout_at(until):
                return await self._publisher.publish(waiting.message)
        except TimeoutError:
            return BrokerUnavailable("no answer within the lease")
        except (BrokerUnavailable, MessageRefused) as error:
            return error

    async def _refuse(self, batch: ClaimedBatch, waiting: Waiting, error: MessageRefused) -> None:
        attempts = waiting.attempts + 1
        give_up = attempts >= self._attempts
        if give_up:
            _log.error("message %s is given up after %d attempts: %s", waiting.message.id, attempts, error)
        await batch.refused(waiting.position, str(error), self._backoff.wait(attempts), give_up=give_up)
