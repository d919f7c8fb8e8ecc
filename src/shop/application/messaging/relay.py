"""The relay: publishes the events of the outbox at least once, and those of one aggregate in order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shop.application.messaging.backoff import DEFAULT_BACKOFF, Backoff, wait_unless
from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable, MessageRefused, Place, Publisher
from shop.application.messaging.messages import Message
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.failures import StoreLost, TransactionConflict

_log = logging.getLogger("shop.relay")


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message in the outbox with its position, and the number of times that the broker refused it."""

    position: int
    attempts: int
    message: Message


class ClaimedBatch(Protocol):
    """Messages that no other relay publishes until the lease ends: at most one of each aggregate.

    Each result is committed on its own, if the claim is still valid. Both methods raise `StoreLost` or `TransactionConflict`.
    """

    @property
    def messages(self) -> Sequence[PendingMessage]:
        """The messages, by position."""
        ...

    async def published(self, places: Mapping[int, Place]) -> None:
        """Record the places of published messages, by their positions.

        A message recorded at one of these places before was lost by the broker, and becomes pending again.
        """
        ...

    async def refused(self, position: int, error: str, retry_after: float, *, is_final: bool) -> None:
        """Record that the broker refused a message: it is retried after a while, or if final, a dead letter."""
        ...


class PendingMessages(Protocol):
    """The messages of the outbox that are not published yet."""

    def claim(self, most: int, lease: float) -> AbstractAsyncContextManager[ClaimedBatch]:
        """Claim the next messages until the end of the block, for at most `lease` seconds. No transaction is open in the meantime.

        At the end of the block, messages without a recorded result are released. Raises `StoreLost` or `TransactionConflict`; then they are
        released when the lease ends.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """The result of one pass over the outbox."""

    published: int
    refused: int
    is_broker_lost: bool


class Relay:
    """Publishes pending messages. Any number of relays may run; one that is frozen or dead delays messages by its lease at most.

    An unavailable broker counts as no attempt. A message that the broker refuses is retried with increasing waits, while later messages of
    its aggregate wait, and is a dead letter after `attempts`.
    """

    def __init__(
        self,
        pending: PendingMessages,
        publisher: Publisher,
        *,
        batch_size: int = 100,
        lease: float = 5.0,
        attempts: int = 8,
        idle: float = 0.2,
        backoff: Backoff = DEFAULT_BACKOFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pending = pending
        self._publisher = publisher
        self._batch_size = batch_size
        self._lease = lease
        self._attempts = attempts
        self._idle = idle
        self._backoff = backoff
        lost = "the broker does not answer, and messages wait"
        self._broker_outage = Outage(_log, lost, "the broker answers again", settled=SETTLED, clock=clock)
        self._outbox_outage = Outage(_log, "the outbox cannot be read", "the outbox can be read again")

    async def run(self, stop: asyncio.Event) -> int:
        """Publish until `stop` is set, and return the number of published messages. The current pass is finished.

        Raises `BrokerMisconfigured`.
        """
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
        """Publish until nothing is due, and return the number. Raises `BrokerUnavailable`, `StoreLost` or `TransactionConflict`."""
        published = 0
        while True:
            done = await self.run_once()
            published += done.published
            if done.is_broker_lost:
                raise BrokerUnavailable("the broker does not answer")
            if not done.published and not done.refused:
                return published

    async def run_once(self) -> Pass:
        """Publish one batch. Raises `StoreLost` or `TransactionConflict`; then the batch may be published again.

        Raises `BrokerMisconfigured` after what was published is recorded.
        """
        # Measured from before the claim, so the lease ends here before it ends for others.
        until = asyncio.get_running_loop().time() + self._lease
        async with self._pending.claim(self._batch_size, self._lease) as batch:
            self._outbox_outage.end()
            # Concurrently: no two are of one aggregate.
            outcomes = await asyncio.gather(*(self._publish(each.message, until) for each in batch.messages))
            pairs = list(zip(batch.messages, outcomes, strict=True))
            stored = {each.position: outcome for each, outcome in pairs if isinstance(outcome, Place)}
            if stored:
                await batch.published(stored)
            refused = [(each, outcome) for each, outcome in pairs if isinstance(outcome, MessageRefused)]
            for each, outcome in refused:
                await self._refuse(batch, each, outcome)
        lost = [outcome for outcome in outcomes if isinstance(outcome, BrokerUnavailable)]
        if lost:
            lasting = next((each for each in lost if isinstance(each, BrokerMisconfigured)), None)
            if lasting is not None:
                raise lasting
            self._broker_outage.begin(lost[0])
        elif stored or not self._broker_outage.is_on:
            # Also if there is nothing to publish: otherwise the end of an outage would be logged with the next event, whenever that is.
            self._broker_outage.end()
        if stored:
            _log.debug("published %d messages", len(stored))
        return Pass(len(stored), len(refused), bool(lost))

    async def _publish(self, message: Message, until: float) -> Place | BrokerUnavailable | MessageRefused:
        # Not after the end of the lease, as when this process was frozen: another relay may have published the message.
        if asyncio.get_running_loop().time() >= until:
            return BrokerUnavailable("the lease ended before the message was sent")
        try:
            async with asyncio.timeout_at(until):
                return await self._publisher.publish(message)
        except TimeoutError:
            return BrokerUnavailable("no answer within the lease")
        except (BrokerUnavailable, MessageRefused) as error:
            return error

    async def _refuse(self, batch: ClaimedBatch, pending: PendingMessage, error: MessageRefused) -> None:
        attempts = pending.attempts + 1
        is_final = attempts >= self._attempts
        if is_final:
            _log.error("message %s is a dead letter now, after %d attempts: %s", pending.message.id, attempts, error)
        await batch.refused(pending.position, str(error), self._backoff.wait(attempts), is_final=is_final)
