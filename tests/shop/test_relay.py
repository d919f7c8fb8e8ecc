"""The contract of `PendingMessages`, for PostgreSQL and in memory, and the relay on both."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection

from shop.application.commands.recovery import Recovery
from shop.application.context import Actor, Context
from shop.application.messaging.backoff import Backoff
from shop.application.messaging.broker import BrokerUnavailable, MessageRefused, Place
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message, decode, read_message
from shop.application.messaging.relay import ClaimedBatch, PendingMessages, Relay
from shop.application.transactions.failures import StoreLost
from shop.application.transactions.runner import Transactions
from shop.domain.events import OrderPaid, OrderPlaced, OrderShipped, UserRegistered, aggregate_of
from shop.domain.result import Ok
from shop.domain.values import OrderId, UserId
from shop.infrastructure.nats.broker import NatsBroker
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

from .events import EVENTS, ORDER, TOTAL, USER, message
from .memory.broker import MemoryBroker
from .ports import Broker, Messaging, receive_all

LEASE = 60.0

# --- The pending messages ----------------------------------------------------------------------------------------------------------


async def claimed(queue: PendingMessages, most: int = 100) -> list[str]:
    async with queue.claim(most, LEASE) as batch:
        return [waiting.message.event_type for waiting in batch.messages]


async def test_the_first_event_of_each_aggregate_is_claimed_in_order(messaging: Messaging) -> None:
    await messaging.write(OrderPlaced(ORDER, USER, TOTAL), UserRegistered(USER), OrderPaid(ORDER, USER, TOTAL))
    assert await claimed(messaging.pending) == ["OrderPlaced", "UserRegistered"]
    assert await claimed(messaging.pending, most=1) == ["OrderPlaced"]


async def test_an_event_that_was_rolled_back_is_not_published(messaging: Messaging) -> None:
    async with messaging.begin() as uow:
        await uow.outbox.add(UserRegistered(USER), "trace-1")
    assert await claimed(messaging.pending) == []


async def test_a_claimed_event_and_its_successors_are_not_claimed_by_others(messaging: Messaging) -> None:
    await messaging.write(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(100, LEASE):
        assert await claimed(messaging.pending) == []
    assert await claimed(messaging.pending) == ["OrderPlaced"]


async def test_a_published_event_is_not_claimed_again(messaging: Messaging) -> None:
    await messaging.write(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(100, LEASE) as batch:
        await batch.published({batch.messages[0].position: Place("SHOP", 1)})
    assert await claimed(messaging.pending) == ["OrderPaid"]


async def test_a_claim_that_raises_keeps_its_results_and_releases_the_rest(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))

    async def die() -> None:
        async with messaging.pending.claim(100, LEASE) as batch:
            await batch.published({batch.messages[0].position: Place("SHOP", 1)})
            raise StoreLost("killed")

    with pytest.raises(StoreLost):
        await die()
    assert await claimed(messaging.pending) == ["OrderPlaced"]


async def test_a_claim_ends_with_its_lease_and_later_results_are_ignored(messaging: Messaging) -> None:
    await messaging.write(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(100, 0.0) as frozen:
        [waiting] = frozen.messages
        async with messaging.pending.claim(100, LEASE) as taken:
            assert [each.position for each in taken.messages] == [waiting.position]
            await frozen.refused(waiting.position, "too late", 60, is_final=True)
            await frozen.published({waiting.position: Place("SHOP", 1)})
            assert await claimed(messaging.pending) == []
        assert await claimed(messaging.pending) == ["OrderPlaced"]
    assert await messaging.dead() == []


async def test_a_message_whose_place_is_used_by_another_is_pending_again(messaging: Messaging) -> None:
    # The stream lost its end, as in a power failure, and reuses sequence numbers.
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))
    for _ in range(2):
        async with messaging.pending.claim(1, LEASE) as batch:
            await batch.published({batch.messages[0].position: Place("SHOP", 7)})
    assert await claimed(messaging.pending) == ["UserRegistered"]


async def test_each_refusal_is_counted(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER))
    for attempts in range(3):
        async with messaging.pending.claim(100, LEASE) as batch:
            [waiting] = batch.messages
            assert waiting.attempts == attempts
            await batch.refused(waiting.position, "too large", 0, is_final=False)


# --- The relay ----------------------------------------------------------------------------------------------------------


class Refusing:
    """A publisher that refuses some event types."""

    def __init__(self, *refused: str, error: Exception | None = None) -> None:
        self.refused = set(refused)
        self.error = error or MessageRefused("too large")
        self.published: list[str] = []

    async def publish(self, message: Message) -> Place:
        if message.event_type in self.refused:
            raise self.error
        self.published.append(message.event_type)
        return Place("SHOP", len(self.published))


async def test_events_are_published_once_and_in_order(messaging: Messaging, broker: Broker) -> None:
    await messaging.write(*EVENTS)
    relay = Relay(messaging.pending, broker)
    assert await relay.run_until_empty() == len(EVENTS)
    assert await relay.run_until_empty() == 0
    published = [decode(each) for each in await receive_all(broker.subscribe("sales"), len(EVENTS))]
    assert len(published) == len(EVENTS)
    for aggregate in {aggregate_of(event) for event in EVENTS}:
        assert [e for e in published if aggregate_of(e) == aggregate] == [e for e in EVENTS if aggregate_of(e) == aggregate]


async def test_concurrent_relays_publish_nothing_twice_and_keep_the_order_of_each_aggregate(messaging: Messaging) -> None:
    orders = [OrderId(uuid.UUID(int=number)) for number in range(20)]
    for order in orders:
        await messaging.write(OrderPlaced(order, USER, TOTAL), OrderPaid(order, USER, TOTAL), OrderShipped(order, USER))
    broker = MemoryBroker()
    relays = [Relay(messaging.pending, broker, batch_size=7) for _ in range(4)]
    assert sum(await asyncio.gather(*(relay.run_until_empty() for relay in relays))) <= 60
    await relays[0].run_until_empty()
    published = [read_message(body) for body in broker.messages]
    assert len(published) == 60
    for order in orders:
        types = [each.event_type for each in published if each.aggregate == f"order:{order}"]
        assert types == ["OrderPlaced", "OrderPaid", "OrderShipped"]


async def test_a_refused_message_delays_only_its_aggregate_and_becomes_a_dead_letter(messaging: Messaging) -> None:
    await messaging.write(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL), UserRegistered(USER))
    publisher = Refusing("OrderPlaced")
    relay = Relay(messaging.pending, publisher, attempts=3, backoff=Backoff(first=0.0, longest=0.0))
    assert (await relay.run_once()).refused == 1
    assert publisher.published == ["UserRegistered"]
    await relay.run_until_empty()
    assert publisher.published == ["UserRegistered", "OrderPaid"]
    [(consumer, _, event_type, attempts, error)] = await messaging.dead()
    assert (consumer, event_type, attempts, error) == ("relay", "OrderPlaced", 3, "too large")


async def test_a_message_that_is_not_due_waits(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER))
    publisher = Refusing("UserRegistered")
    relay = Relay(messaging.pending, publisher, backoff=Backoff(first=60, longest=60))
    await relay.run_once()
    publisher.refused.clear()
    assert (await relay.run_once()).published == 0


async def test_a_broker_outage_counts_as_no_attempt(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER))
    relay = Relay(messaging.pending, Refusing("UserRegistered", error=BrokerUnavailable("down")), attempts=1)
    for _ in range(3):
        assert (await relay.run_once()).is_broker_lost
    async with messaging.pending.claim(1, LEASE) as batch:
        assert [waiting.attempts for waiting in batch.messages] == [0]


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(messaging: Messaging, caplog: pytest.LogCaptureFixture) -> None:
    await messaging.write(UserRegistered(USER))
    stop = asyncio.Event()

    class Lost:
        """Pending messages that cannot be read five times."""

        tries = 0

        @asynccontextmanager
        async def claim(self, most: int, lease: float) -> AsyncGenerator[ClaimedBatch]:
            self.tries += 1
            if self.tries <= 5:
                raise StoreLost("down")
            if self.tries > 12:
                stop.set()
            async with messaging.pending.claim(most, lease) as batch:
                yield batch

    class Silent:
        """A publisher that does not answer five times."""

        tries = 0

        async def publish(self, message: Message) -> Place:
            self.tries += 1
            if self.tries <= 5:
                raise BrokerUnavailable("down")
            return Place(message.event_type, self.tries)

    # Ten seconds pass from one look at the clock to the next, after which an outage has ended.
    now = itertools.count(step=10.0)
    relay = Relay(Lost(), Silent(), idle=0.001, backoff=Backoff(first=0.001, longest=0.001), clock=lambda: next(now))
    assert await relay.run(stop) == 1
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the outbox cannot be read: down",
        "the outbox can be read again",
        "the broker does not answer, and messages wait: down",
        "the broker answers again",
    ]


async def test_a_message_published_by_a_dying_relay_is_stored_once(messaging: Messaging, nats_broker: NatsBroker) -> None:
    await messaging.write(UserRegistered(USER))

    async def die() -> None:
        async with messaging.pending.claim(10, LEASE) as batch:
            await nats_broker.publish(batch.messages[0].message)
            raise StoreLost("killed between publishing and recording it")

    with pytest.raises(StoreLost):
        await die()
    assert await Relay(messaging.pending, nats_broker).run_until_empty() == 1
    assert len(await receive_all(nats_broker.subscribe("sales"), 1)) == 1


class Silent:
    """A publisher that calls a function and then never answers."""

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self.look = look

    async def publish(self, message: Message) -> Place:
        await self.look()
        await asyncio.Event().wait()
        raise AssertionError(message)


async def test_the_wait_for_a_broker_is_limited_by_the_lease(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER))
    assert (await Relay(messaging.pending, Silent(asyncio.Event().wait), lease=0.1).run_once()).is_broker_lost
    assert await claimed(messaging.pending) == ["UserRegistered"]


async def test_no_transaction_is_open_while_waiting_for_the_broker(pool: Pool, conn: AsyncConnection[Any]) -> None:
    seen: list[tuple[Any, ...] | None] = []

    async def look() -> None:
        cur = await conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shop' AND xact_start IS NOT NULL")
        seen.append(await cur.fetchone())

    async with units_of_work(pool)() as uow:
        await uow.outbox.add(UserRegistered(USER), "trace-1")
        await uow.commit()
    await Relay(PostgresPendingMessages(pool), Silent(look), lease=0.5).run_once()
    assert seen == [(0,)]


async def test_events_of_a_lost_stream_are_republished_and_counted_once(messaging: Messaging, nats_broker: NatsBroker) -> None:
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    relay = Relay(messaging.pending, nats_broker)
    sales = messaging.process()
    assert await relay.run_until_empty() == 1
    [paid] = await receive_all(nats_broker.subscribe("sales"), 1)
    assert await sales(paid) is Verdict.HANDLED
    await (await nats_broker.jetstream()).delete_stream("SHOP")
    await republish(messaging)
    with pytest.raises(BrokerUnavailable):
        await relay.run_until_empty()
    assert await relay.run_until_empty() == 1
    again = await receive_all(nats_broker.subscribe("sales"), 1)
    assert again == [paid]
    assert await sales(again[0]) is Verdict.HANDLED
    assert [day.orders for day in await messaging.sales()] == [1]


async def test_a_lost_message_whose_id_the_broker_remembers_is_not_mistaken_for_stored(nats_broker: NatsBroker) -> None:
    # It acknowledges a known id without storing anything, even if the message was deleted.
    sent = message(UserRegistered(USER))
    await nats_broker.publish(sent)
    await (await nats_broker.jetstream()).purge_stream("SHOP")
    with pytest.raises(BrokerUnavailable, match="has lost a message"):
        await nats_broker.publish(sent)


async def republish(messaging: Messaging, first: int = 1, last: int = 1_000_000) -> list[int]:
    outcome = await Recovery(Transactions(messaging.begin)).republish_batch(Context(Actor.admin("clerk"), "pytest"), first, last)
    assert isinstance(outcome, Ok)
    return list(outcome.value)


async def test_a_range_is_republished_except_pending_events(messaging: Messaging) -> None:
    await messaging.write(*(UserRegistered(UserId(uuid.UUID(int=number))) for number in range(4)))
    async with messaging.pending.claim(3, LEASE) as batch:
        first, second, third = (waiting.position for waiting in batch.messages)
        await batch.published({first: Place("SHOP", 1), second: Place("SHOP", 2)})
        await batch.refused(third, "too large", 60, is_final=True)
    assert await republish(messaging, second) == [second, third]
    assert await republish(messaging, second) == []
    async with messaging.pending.claim(10, LEASE) as batch:
        assert [(waiting.position, waiting.attempts) for waiting in batch.messages] == [(second, 0), (third, 0), (third + 1, 0)]
    assert await messaging.dead() == []


async def test_a_relay_can_be_stopped(messaging: Messaging) -> None:
    stop = asyncio.Event()
    broker = MemoryBroker()
    running = asyncio.create_task(Relay(messaging.pending, broker).run(stop))
    await messaging.write(UserRegistered(USER))
    async with asyncio.timeout(300):
        while not broker.messages:
            await broker.wait(1)
        stop.set()
        assert await running == 1
