"""From the outbox through the broker to the effect: on real PostgreSQL and NATS, and the broker's contract on its twin in memory too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio
from nats.js.api import AckPolicy, ConsumerConfig
from psycopg import AsyncConnection

from shop.application.backoff import Backoff
from shop.application.broker import BrokerUnavailable, Delivery, MessageRefused, Subscription
from shop.application.consumer import Consumer, OnceInEffect, Verdict, read_message
from shop.application.messages import Message, UnreadableMessage, decode, encode
from shop.application.relay import Relay
from shop.application.sales import SalesLedger, keep_sales
from shop.application.unit_of_work import StoreLost
from shop.domain.events import (
    AuthenticationFailed,
    Event,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
    aggregate_of,
)
from shop.domain.money import Currency, Money
from shop.domain.orders import OrderId
from shop.domain.values import EmailAddress, UserId
from shop.infrastructure.memory.broker import MemoryBroker
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.postgres.inbox import PostgresInbox
from shop.infrastructure.postgres.outbox_queue import PostgresOutboxQueue
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.unit_of_work import units_of_work
from shop.local_servers import LocalServer, nats_server

USER = UserId(uuid.UUID(int=7))
ORDER = OrderId(uuid.UUID(int=8))
TOTAL = Money(25_00, Currency.EUR)
QUICK = Backoff(first=0.01, longest=0.05)


def message(event: Event, message_id: uuid.UUID | None = None) -> Message:
    encoded = encode(event)
    return Message(
        id=message_id or uuid.uuid4(),
        aggregate=aggregate_of(event),
        event_type=encoded.event_type,
        payload=encoded.payload,
        trace_id="trace-1",
        occurred_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
    )


async def tell(pool: Pool, *events: Event) -> None:
    async with units_of_work(pool)() as uow:
        for event in events:
            await uow.outbox.add(event, "trace-1")
        await uow.commit()


async def scalar(conn: AsyncConnection[Any], query: str) -> Any:
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


# --- Messages -----------------------------------------------------------------------------------------------------------

EVENTS: list[Event] = [
    UserRegistered(USER),
    UserProfileUpdated(USER),
    UserPasswordChanged(USER),
    UserDeleted(USER),
    AuthenticationFailed(EmailAddress("Ada@Example.org")),
    OrderPlaced(ORDER, USER, TOTAL),
    OrderPaid(ORDER, USER, TOTAL),
    OrderShipped(ORDER, USER),
    OrderCancelled(ORDER, USER, None),
    OrderCancelled(ORDER, USER, TOTAL),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_out_of_its_message_as_it_went_in(event: Event) -> None:
    assert decode(Message.model_validate_json(message(event).model_dump_json())) == event


@pytest.mark.parametrize(
    ("event_type", "payload"), [("OrderLost", {}), ("OrderPaid", {}), ("OrderPaid", {"order_id": "8"}), ("OrderPaid", None)]
)
def test_a_message_of_an_unknown_form_is_unreadable(event_type: str, payload: Any) -> None:
    with pytest.raises(UnreadableMessage):
        decode(message(EVENTS[0]).model_copy(update={"event_type": event_type, "payload": payload}))


def test_what_is_no_message_has_the_same_id_each_time() -> None:
    first, second = read_message(b"\xff\0"), read_message(b"\xff\0")
    assert (first.id, first.event_type) == (second.id, "Unreadable")
    assert "\0" not in str(first.payload)


# --- The broker ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A NATS server of this test run's."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest_asyncio.fixture
async def nats_broker(nats: LocalServer) -> AsyncIterator[NatsBroker]:
    """A broker on an empty stream."""
    async with open_broker(nats.url) as broker:
        jetstream = await broker.jetstream()
        yield broker
        await jetstream.delete_stream("SHOP")


Broker = NatsBroker | MemoryBroker


@pytest.fixture(params=["memory", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """A broker of either kind."""
    if request.param == "memory":
        return MemoryBroker()
    made: NatsBroker = request.getfixturevalue("nats_broker")
    return made


async def bodies(subscription: Subscription, wait: float = 0.2) -> list[Message]:
    found: list[Message] = []
    while delivery := await subscription.next(wait):
        found.append(read_message(delivery.body))
        await delivery.accept()
    return found


async def delivered(subscription: Subscription) -> Delivery:
    delivery = await subscription.next(5)
    assert delivery is not None
    return delivery


async def test_messages_are_delivered_in_the_order_of_their_publishing(broker: Broker) -> None:
    messages = [message(event) for event in EVENTS]
    for each in messages:
        await broker.publish(each)
    assert await bodies(broker.subscribe("sales")) == messages


async def test_each_consumer_has_its_own_place_and_keeps_it(broker: Broker) -> None:
    first, second = message(EVENTS[0]), message(EVENTS[1])
    await broker.publish(first)
    assert await bodies(broker.subscribe("sales")) == [first]
    await broker.publish(second)
    assert await bodies(broker.subscribe("sales")) == [second]
    assert await bodies(broker.subscribe("cache")) == [first, second]


async def test_a_message_that_was_published_twice_is_stored_once(broker: Broker) -> None:
    once = message(EVENTS[0])
    await broker.publish(once)
    await broker.publish(once)
    assert await bodies(broker.subscribe("sales")) == [once]


async def test_a_message_that_is_to_come_again_does_and_is_counted(broker: Broker) -> None:
    await broker.publish(message(EVENTS[0]))
    subscription = broker.subscribe("sales")
    for count in (1, 2, 3):
        delivery = await delivered(subscription)
        assert delivery.count == count
        await delivery.retry(0.01)
    await (await delivered(subscription)).discard()
    assert await subscription.next(0.2) is None


async def test_what_is_behind_a_message_waits_until_that_is_settled_whoever_asks(broker: Broker) -> None:
    first, second = message(EVENTS[0]), message(EVENTS[1])
    await broker.publish(first)
    await broker.publish(second)
    one, other = broker.subscribe("sales"), broker.subscribe("sales")
    taken = await delivered(one)
    assert await other.next(0.2) is None
    await taken.retry(0.3)
    assert await one.next(0.1) is None
    assert await bodies(other, wait=1) == [first, second]


async def test_a_consumer_that_was_made_without_order_gets_it(nats_broker: NatsBroker) -> None:
    jetstream = await nats_broker.jetstream()
    await jetstream.add_consumer("SHOP", ConsumerConfig(durable_name="sales", ack_policy=AckPolicy.EXPLICIT))  # pyright: ignore[reportUnknownMemberType]
    await nats_broker.publish(message(EVENTS[0]))
    await nats_broker.publish(message(EVENTS[1]))
    subscription = nats_broker.subscribe("sales")
    await delivered(subscription)
    assert await subscription.next(0.2) is None


async def test_a_message_that_is_too_large_is_refused(nats_broker: NatsBroker) -> None:
    with pytest.raises(MessageRefused, match="payload"):
        await nats_broker.publish(message(EVENTS[0]).model_copy(update={"payload": "x" * 2_000_000}))


async def test_a_broker_that_is_not_there_is_unavailable() -> None:
    async with open_broker("nats://127.0.0.1:1") as broker:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(message(EVENTS[0]))
        with pytest.raises(BrokerUnavailable):
            await broker.subscribe("sales").next(0.1)


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


async def test_what_was_told_is_published_once_and_in_order(pool: Pool, broker: Broker) -> None:
    await tell(pool, *EVENTS)
    relay = Relay(PostgresOutboxQueue(pool), broker)
    assert await relay.run_until_empty() == len(EVENTS)
    assert await relay.run_until_empty() == 0
    published = [decode(each) for each in await bodies(broker.subscribe("sales"))]
    assert len(published) == len(EVENTS)
    for aggregate in {aggregate_of(event) for event in EVENTS}:
        assert [e for e in published if aggregate_of(e) == aggregate] == [e for e in EVENTS if aggregate_of(e) == aggregate]


async def test_relays_at_once_publish_nothing_twice_and_keep_the_order_of_each_aggregate(pool: Pool) -> None:
    orders = [OrderId(uuid.UUID(int=number)) for number in range(20)]
    for order in orders:
        await tell(pool, OrderPlaced(order, USER, TOTAL), OrderPaid(order, USER, TOTAL), OrderShipped(order, USER))
    broker = MemoryBroker()
    relays = [Relay(PostgresOutboxQueue(pool), broker, batch_size=7) for _ in range(4)]
    assert sum(await asyncio.gather(*(relay.run_until_empty() for relay in relays))) <= 60
    await relays[0].run_until_empty()
    published = [read_message(body) for body in broker.messages]
    assert len(published) == 60
    for order in orders:
        types = [each.event_type for each in published if each.aggregate == f"order:{order}"]
        assert types == ["OrderPlaced", "OrderPaid", "OrderShipped"]


async def test_a_refused_message_holds_back_its_aggregate_alone_and_is_given_up_in_the_end(pool: Pool, conn: AsyncConnection[Any]) -> None:
    await tell(pool, OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL), UserRegistered(USER))
    publisher = Refusing("OrderPlaced")
    relay = Relay(PostgresOutboxQueue(pool), publisher, attempts=3, backoff=Backoff(first=0.0, longest=0.0))
    assert (await relay.run_once()).refused == 1
    assert publisher.published == ["UserRegistered"]
    await relay.run_until_empty()
    assert publisher.published == ["UserRegistered", "OrderPaid"]
    row = await (await conn.execute("SELECT attempts, last_error FROM outbox WHERE dead_at IS NOT NULL")).fetchone()
    assert row == (3, "too large")


async def test_a_message_that_is_not_due_waits(pool: Pool) -> None:
    await tell(pool, UserRegistered(USER))
    publisher = Refusing("UserRegistered")
    relay = Relay(PostgresOutboxQueue(pool), publisher, backoff=Backoff(first=60, longest=60))
    await relay.run_once()
    publisher.refused.clear()
    assert (await relay.run_once()).published == 0


async def test_a_broker_that_is_down_counts_against_no_message(pool: Pool, conn: AsyncConnection[Any]) -> None:
    await tell(pool, UserRegistered(USER))
    relay = Relay(PostgresOutboxQueue(pool), Refusing("UserRegistered", error=BrokerUnavailable("down")), attempts=1)
    for _ in range(3):
        assert (await relay.run_once()).is_broker_lost
    assert await scalar(conn, "SELECT attempts FROM outbox WHERE dead_at IS NULL AND published_at IS NULL") == 0


async def test_what_a_dying_relay_had_published_is_published_again_and_stored_once(pool: Pool, nats_broker: NatsBroker) -> None:
    await tell(pool, UserRegistered(USER))

    async def die() -> None:
        async with PostgresOutboxQueue(pool).claim(10) as batch:
            await nats_broker.publish(batch.waiting[0].message)
            raise StoreLost("killed between publishing and noting it")

    with pytest.raises(StoreLost):
        await die()
    assert await Relay(PostgresOutboxQueue(pool), nats_broker).run_until_empty() == 1
    assert len(await bodies(nats_broker.subscribe("sales"))) == 1


async def test_a_relay_that_is_told_to_stop_does(pool: Pool) -> None:
    stop = asyncio.Event()
    broker = MemoryBroker()
    running = asyncio.create_task(Relay(PostgresOutboxQueue(pool), broker).run(stop))
    await tell(pool, UserRegistered(USER))
    async with asyncio.timeout(30):
        while not broker.messages:
            await broker.wait(1)
        stop.set()
        assert await running == 1


# --- The consumer -------------------------------------------------------------------------------------------------------


async def sales(conn: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    return await (await conn.execute("SELECT day, currency, orders, revenue_minor FROM daily_sales")).fetchall()


async def test_a_message_that_comes_twice_has_its_effect_once(pool: Pool, conn: AsyncConnection[Any]) -> None:
    process = OnceInEffect(PostgresInbox(pool, "sales"), keep_sales)
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    assert [await process(paid), await process(paid)] == [Verdict.HANDLED, Verdict.HANDLED]
    assert await sales(conn) == [(date(2026, 3, 1), "EUR", 1, 25_00)]


async def test_a_message_that_comes_to_several_at_once_has_its_effect_once(pool: Pool, conn: AsyncConnection[Any]) -> None:
    process = OnceInEffect(PostgresInbox(pool, "sales"), keep_sales)
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    assert set(await asyncio.gather(*(process(paid) for _ in range(8)))) == {Verdict.HANDLED}
    assert await sales(conn) == [(date(2026, 3, 1), "EUR", 1, 25_00)]


async def test_a_refund_is_taken_off(pool: Pool, conn: AsyncConnection[Any]) -> None:
    process = OnceInEffect(PostgresInbox(pool, "sales"), keep_sales)
    for event in (OrderPaid(ORDER, USER, TOTAL), OrderCancelled(ORDER, USER, TOTAL), OrderCancelled(ORDER, USER, None)):
        assert await process(message(event)) is Verdict.HANDLED
    assert await sales(conn) == [(date(2026, 3, 1), "EUR", 0, 0)]


async def test_a_handler_that_fails_leaves_no_effect_and_its_message_is_a_dead_letter_in_the_end(
    pool: Pool, conn: AsyncConnection[Any]
) -> None:
    async def add_and_fail(event: Event, message: Message, ledger: SalesLedger) -> None:
        await keep_sales(event, message, ledger)
        raise RuntimeError("a mistake")

    paid = message(OrderPaid(ORDER, USER, TOTAL))
    process = OnceInEffect(PostgresInbox(pool, "sales"), add_and_fail, attempts=3)
    assert [await process(paid) for _ in range(4)] == [Verdict.FAILED, Verdict.FAILED, Verdict.DEAD, Verdict.HANDLED]
    assert await sales(conn) == []
    row = await (await conn.execute("SELECT attempts, last_error, dead_message->>'id' FROM inbox WHERE dead_at IS NOT NULL")).fetchone()
    assert row == (3, "RuntimeError: a mistake", str(paid.id))


async def test_a_handler_that_fails_once_is_tried_again(pool: Pool, conn: AsyncConnection[Any]) -> None:
    failures = [RuntimeError("a hiccup")]

    async def fail_once(event: Event, message: Message, ledger: SalesLedger) -> None:
        await keep_sales(event, message, ledger)
        while failures:
            raise failures.pop()

    broker = MemoryBroker()
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)))
    consumer = Consumer(broker.subscribe("sales"), OnceInEffect(PostgresInbox(pool, "sales"), fail_once), backoff=QUICK)
    assert [await consumer.run_once() for _ in range(2)] == [False, True]
    assert await sales(conn) == [(date(2026, 3, 1), "EUR", 1, 25_00)]


async def test_a_message_that_nobody_can_read_is_a_dead_letter_at_once(pool: Pool, conn: AsyncConnection[Any]) -> None:
    process = OnceInEffect(PostgresInbox(pool, "sales"), keep_sales)
    assert await process(read_message(b"not a message")) is Verdict.DEAD
    assert await scalar(conn, "SELECT dead_message->>'payload' FROM inbox WHERE dead_at IS NOT NULL") == "not a message"


async def test_a_database_that_is_down_counts_against_no_message(pool: Pool, conn: AsyncConnection[Any]) -> None:
    async def lose(event: Event, message: Message, ledger: SalesLedger) -> None:
        raise StoreLost("down")

    process = OnceInEffect(PostgresInbox(pool, "sales"), lose, attempts=1)
    assert await process(message(OrderPaid(ORDER, USER, TOTAL))) is Verdict.NOT_NOW
    assert await scalar(conn, "SELECT count(*) FROM inbox") == 0


async def test_a_failing_handler_keeps_the_order_and_what_is_given_up_lets_the_others_through(pool: Pool, broker: Broker) -> None:
    order: list[Event] = [OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL), OrderShipped(ORDER, USER)]
    for event in order:
        await broker.publish(message(event))
    seen: list[str] = []

    async def fail(event: Event, message: Message, ledger: SalesLedger) -> None:
        seen.append(message.event_type)
        if isinstance(event, OrderPaid) or len(seen) == 1:
            raise RuntimeError("a mistake")

    consumer = Consumer(broker.subscribe("sales"), OnceInEffect(PostgresInbox(pool, "sales"), fail, attempts=2), backoff=QUICK)
    assert [await consumer.run_once() for _ in range(6)] == [False, True, False, True, True, False]
    assert seen == ["OrderPlaced", "OrderPlaced", "OrderPaid", "OrderPaid", "OrderShipped"]


async def test_a_consumer_that_is_told_to_stop_finishes_its_message_and_leaves_the_others(broker: Broker) -> None:
    for number in range(3):
        await broker.publish(message(OrderPaid(OrderId(uuid.UUID(int=number)), USER, TOTAL)))
    stop = asyncio.Event()
    seen: list[uuid.UUID] = []

    async def stop_at_the_first(message: Message) -> Verdict:
        seen.append(message.id)
        stop.set()
        return Verdict.HANDLED

    async with asyncio.timeout(30):
        assert await Consumer(broker.subscribe("sales"), stop_at_the_first).run(stop) == 1
    assert len(seen) == 1
    assert len(await bodies(broker.subscribe("sales"))) == 2
