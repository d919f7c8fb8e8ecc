"""From the outbox to the broker: what an `OutboxQueue` promises, kept by PostgreSQL's and by the one in memory, and the relay on both."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from shop.application.backoff import Backoff
from shop.application.broker import BrokerUnavailable, MessageRefused
from shop.application.consumer import read_message
from shop.application.messages import Message, decode
from shop.application.relay import OutboxQueue, Relay
from shop.application.unit_of_work import StoreLost
from shop.domain.events import OrderPaid, OrderPlaced, OrderShipped, UserRegistered, aggregate_of
from shop.domain.orders import OrderId
from shop.infrastructure.memory.broker import MemoryBroker
from shop.infrastructure.nats.broker import NatsBroker

from .conftest import Broker, Messaging, bodies
from .events import EVENTS, ORDER, TOTAL, USER

# --- The queue ----------------------------------------------------------------------------------------------------------


async def claimed(queue: OutboxQueue, most: int = 100) -> list[str]:
    async with queue.claim(most) as batch:
        return [waiting.message.event_type for waiting in batch.waiting]


async def test_of_each_aggregate_the_first_is_claimed_in_the_order_of_their_writing(messaging: Messaging) -> None:
    await messaging.tell(OrderPlaced(ORDER, USER, TOTAL), UserRegistered(USER), OrderPaid(ORDER, USER, TOTAL))
    assert await claimed(messaging.queue) == ["OrderPlaced", "UserRegistered"]
    assert await claimed(messaging.queue, most=1) == ["OrderPlaced"]


async def test_what_was_rolled_back_was_never_told(messaging: Messaging) -> None:
    async with messaging.begin() as uow:
        await uow.outbox.add(UserRegistered(USER), "trace-1")
    assert await claimed(messaging.queue) == []


async def test_what_one_relay_has_claimed_no_other_gets_nor_what_is_behind_it(messaging: Messaging) -> None:
    await messaging.tell(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL))
    async with messaging.queue.claim(100):
        assert await claimed(messaging.queue) == []
    assert await claimed(messaging.queue) == ["OrderPlaced"]


async def test_what_was_noted_as_published_is_not_claimed_again(messaging: Messaging) -> None:
    await messaging.tell(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL))
    async with messaging.queue.claim(100) as batch:
        await batch.published([batch.waiting[0].position])
    assert await claimed(messaging.queue) == ["OrderPaid"]


async def test_nothing_is_kept_of_a_claim_that_raises(messaging: Messaging) -> None:
    await messaging.tell(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))

    async def die() -> None:
        async with messaging.queue.claim(100) as batch:
            await batch.published([batch.waiting[0].position])
            await batch.refused(batch.waiting[1].position, "too large", 60, give_up=True)
            raise StoreLost("killed")

    with pytest.raises(StoreLost):
        await die()
    assert await claimed(messaging.queue) == ["UserRegistered", "OrderPlaced"]


async def test_each_refusal_is_counted(messaging: Messaging) -> None:
    await messaging.tell(UserRegistered(USER))
    for attempts in range(3):
        async with messaging.queue.claim(100) as batch:
            [waiting] = batch.waiting
            assert waiting.attempts == attempts
            await batch.refused(waiting.position, "too large", 0, give_up=False)


# --- The relay ----------------------------------------------------------------------------------------------------------


class Refusing:
    """A publisher that refuses some event types."""

    def __init__(self, *refused: str, error: Exception | None = None) -> None:
        self.refused = set(refused)
        self.error = error or MessageRefused("too large")
        self.published: list[str] = []

    async def publish(self, message: Message) -> None:
        if message.event_type in self.refused:
            raise self.error
        self.published.append(message.event_type)


async def test_what_was_told_is_published_once_and_in_order(messaging: Messaging, broker: Broker) -> None:
    await messaging.tell(*EVENTS)
    relay = Relay(messaging.queue, broker)
    assert await relay.run_until_empty() == len(EVENTS)
    assert await relay.run_until_empty() == 0
    published = [decode(each) for each in await bodies(broker.subscribe("sales"))]
    assert len(published) == len(EVENTS)
    for aggregate in {aggregate_of(event) for event in EVENTS}:
        assert [e for e in published if aggregate_of(e) == aggregate] == [e for e in EVENTS if aggregate_of(e) == aggregate]


async def test_relays_at_once_publish_nothing_twice_and_keep_the_order_of_each_aggregate(messaging: Messaging) -> None:
    orders = [OrderId(uuid.UUID(int=number)) for number in range(20)]
    for order in orders:
        await messaging.tell(OrderPlaced(order, USER, TOTAL), OrderPaid(order, USER, TOTAL), OrderShipped(order, USER))
    broker = MemoryBroker()
    relays = [Relay(messaging.queue, broker, batch_size=7) for _ in range(4)]
    assert sum(await asyncio.gather(*(relay.run_until_empty() for relay in relays))) <= 60
    await relays[0].run_until_empty()
    published = [read_message(body) for body in broker.messages]
    assert len(published) == 60
    for order in orders:
        types = [each.event_type for each in published if each.aggregate == f"order:{order}"]
        assert types == ["OrderPlaced", "OrderPaid", "OrderShipped"]


async def test_a_refused_message_holds_back_its_aggregate_alone_and_is_given_up_in_the_end(messaging: Messaging) -> None:
    await messaging.tell(OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL), UserRegistered(USER))
    publisher = Refusing("OrderPlaced")
    relay = Relay(messaging.queue, publisher, attempts=3, backoff=Backoff(first=0.0, longest=0.0))
    assert (await relay.run_once()).refused == 1
    assert publisher.published == ["UserRegistered"]
    await relay.run_until_empty()
    assert publisher.published == ["UserRegistered", "OrderPaid"]
    [(consumer, _, event_type, attempts, error)] = await messaging.dead()
    assert (consumer, event_type, attempts, error) == ("relay", "OrderPlaced", 3, "too large")


async def test_a_message_that_is_not_due_waits(messaging: Messaging) -> None:
    await messaging.tell(UserRegistered(USER))
    publisher = Refusing("UserRegistered")
    relay = Relay(messaging.queue, publisher, backoff=Backoff(first=60, longest=60))
    await relay.run_once()
    publisher.refused.clear()
    assert (await relay.run_once()).published == 0


async def test_a_broker_that_is_down_counts_against_no_message(messaging: Messaging) -> None:
    await messaging.tell(UserRegistered(USER))
    relay = Relay(messaging.queue, Refusing("UserRegistered", error=BrokerUnavailable("down")), attempts=1)
    for _ in range(3):
        assert (await relay.run_once()).is_broker_lost
    async with messaging.queue.claim(1) as batch:
        assert [waiting.attempts for waiting in batch.waiting] == [0]


async def test_what_a_dying_relay_had_published_is_published_again_and_stored_once(messaging: Messaging, nats_broker: NatsBroker) -> None:
    await messaging.tell(UserRegistered(USER))

    async def die() -> None:
        async with messaging.queue.claim(10) as batch:
            await nats_broker.publish(batch.waiting[0].message)
            raise StoreLost("killed between publishing and noting it")

    with pytest.raises(StoreLost):
        await die()
    assert await Relay(messaging.queue, nats_broker).run_until_empty() == 1
    assert len(await bodies(nats_broker.subscribe("sales"))) == 1


async def test_a_relay_that_is_told_to_stop_does(messaging: Messaging) -> None:
    stop = asyncio.Event()
    broker = MemoryBroker()
    running = asyncio.create_task(Relay(messaging.queue, broker).run(stop))
    await messaging.tell(UserRegistered(USER))
    async with asyncio.timeout(30):
        while not broker.messages:
            await broker.wait(1)
        stop.set()
        assert await running == 1
