"""The contract of an `Inbox`, for PostgreSQL and in memory, and the idempotent consumer on both."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import date, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from psycopg import AsyncConnection

from shop.application.messaging import cache_invalidation, sales, session_revocation
from shop.application.messaging.backoff import Backoff
from shop.application.messaging.broker import BrokerUnavailable, Delivery
from shop.application.messaging.consumer import Consumer, Failed, Verdict
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.reader import Later, MessageReader, NotReady
from shop.application.messaging.sales import SalesLedger, record_sales
from shop.application.messaging.session_revocation import SessionRevocation
from shop.application.reads.cache import stale_keys
from shop.application.reads.models import DailySales
from shop.application.reads.users import Standing
from shop.application.transactions.failures import StoreLost
from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped
from shop.domain.money import Currency, Money
from shop.domain.result import Ok
from shop.domain.users import Role
from shop.domain.values import OrderId, UserId
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger

from .events import EVENTS, ORDER, TOTAL, USER, message
from .memory.broker import MemoryBroker
from .ports import Broker, Messaging, receive_all

QUICK = Backoff(first=0.01, longest=0.05)
DAY = date(2026, 3, 1)
SOLD = [DailySales(day=DAY, currency=Currency.EUR, orders=1, revenue_minor=25_00)]

# --- The inbox ----------------------------------------------------------------------------------------------------------


async def is_settled(messaging: Messaging, sent: Message, consumer: str = "sales") -> bool:
    async with messaging.inbox(consumer).enter(sent) as entry:
        return entry.is_settled


async def test_a_message_that_was_handled_is_settled_for_its_consumer_alone(messaging: Messaging) -> None:
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.inbox("sales").enter(paid) as entry:
        assert not entry.is_settled
        await entry.handled()
    assert (await is_settled(messaging, paid), await is_settled(messaging, paid, "stock")) == (True, False)


async def test_a_message_that_was_not_marked_as_handled_has_no_effect(messaging: Messaging) -> None:
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.inbox("sales").enter(paid) as entry:
        await entry.effects.add(DAY, Currency.EUR, orders=1, revenue_minor=1)
    assert not await is_settled(messaging, paid)
    assert await messaging.sales() == []


async def test_a_second_delivery_waits_for_the_first(messaging: Messaging) -> None:
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.inbox("sales").enter(paid) as entry:
        waiting = asyncio.create_task(is_settled(messaging, paid))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        await entry.handled()
    assert await waiting


async def test_failures_are_counted_and_do_not_settle_a_message(messaging: Messaging) -> None:
    paid, inbox = message(OrderPaid(ORDER, USER, TOTAL)), messaging.inbox("sales")
    assert [await inbox.count_failure(paid, "a mistake") for _ in range(3)] == [1, 2, 3]
    assert not await is_settled(messaging, paid)


async def test_a_dead_letter_is_settled_and_listed(messaging: Messaging) -> None:
    paid, inbox = message(OrderPaid(ORDER, USER, TOTAL)), messaging.inbox("sales")
    await inbox.count_failure(paid, "a mistake")
    await inbox.bury(paid)
    assert await is_settled(messaging, paid)
    assert await messaging.dead() == [("sales", paid.id, "OrderPaid", 1, "a mistake")]


async def test_a_handled_message_does_not_become_a_dead_letter(messaging: Messaging) -> None:
    paid, inbox = message(OrderPaid(ORDER, USER, TOTAL)), messaging.inbox("sales")
    await inbox.count_failure(paid, "a mistake")
    async with inbox.enter(paid) as entry:
        await entry.handled()
    await inbox.bury(paid)
    assert await messaging.dead() == []


# --- The consumer -------------------------------------------------------------------------------------------------------


async def test_a_message_delivered_twice_takes_effect_once(messaging: Messaging) -> None:
    process = messaging.process()
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    assert [await process(paid), await process(paid)] == [Verdict.HANDLED, Verdict.HANDLED]
    assert await messaging.sales() == SOLD


async def test_a_message_delivered_concurrently_takes_effect_once(messaging: Messaging) -> None:
    process = messaging.process()
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    assert set(await asyncio.gather(*(process(paid) for _ in range(8)))) == {Verdict.HANDLED}
    assert await messaging.sales() == SOLD


async def test_a_day_of_any_sales_is_summed_up(messaging: Messaging) -> None:
    process = messaging.process()
    large = Money(2**63 - 1, Currency.EUR)
    for event in (OrderPaid(ORDER, USER, large), OrderPaid(ORDER, USER, large), OrderCancelled(ORDER, USER, TOTAL)):
        assert await process(message(event)) is Verdict.HANDLED
    assert await messaging.sales() == [DailySales(day=DAY, currency=Currency.EUR, orders=1, revenue_minor=2 * large.minor - TOTAL.minor)]


async def test_a_refund_is_subtracted(messaging: Messaging) -> None:
    process = messaging.process()
    for event in (OrderPaid(ORDER, USER, TOTAL), OrderCancelled(ORDER, USER, TOTAL), OrderCancelled(ORDER, USER, None)):
        assert await process(message(event)) is Verdict.HANDLED
    assert await messaging.sales() == [DailySales(day=DAY, currency=Currency.EUR, orders=0, revenue_minor=0)]


async def test_a_failing_handler_has_no_effect_and_its_message_becomes_a_dead_letter(messaging: Messaging) -> None:
    async def add_and_fail(event: Event, message: Message, ledger: SalesLedger) -> None:
        await record_sales(event, message, ledger)
        raise RuntimeError("a mistake")

    paid = message(OrderPaid(ORDER, USER, TOTAL))
    process = messaging.process(add_and_fail, attempts=3)
    assert [await process(paid) for _ in range(4)] == [Failed(1), Failed(2), Verdict.DEAD, Verdict.HANDLED]
    assert await messaging.sales() == []
    assert await messaging.dead() == [("sales", paid.id, "OrderPaid", 3, "RuntimeError: a mistake")]


async def test_a_failing_consumer_without_an_inbox_stops_nothing_either(messaging: Messaging) -> None:
    async def fail(event: Event, message: Message) -> Verdict:
        raise RuntimeError("a mistake")

    broker, paid = MemoryBroker(), message(OrderPaid(ORDER, USER, TOTAL))
    await broker.publish(paid)
    process = MessageReader((OrderPaid,), messaging.inbox("cache"), fail, attempts=2)
    consumer = Consumer([broker.subscribe("cache")], process, backoff=QUICK)
    assert [await consumer.run_once() for _ in range(2)] == [False, True]
    assert await messaging.dead() == [("cache", paid.id, "OrderPaid", 2, "RuntimeError: a mistake")]


async def test_a_message_that_waits_is_logged_once_however_often_it_is_delivered(
    messaging: Messaging, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait(event: Event, message: Message) -> Verdict:
        raise NotReady("the server is down")

    process = MessageReader((OrderPaid,), messaging.inbox("cache"), wait)
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    newer = paid.model_copy(update={"id": uuid.uuid4(), "version": 99})
    assert {await process(each) for each in (paid, paid, newer, newer, paid)} == {Verdict.NOT_NOW}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "messages wait: the server is down",
        f"message {newer.id} waits for a newer program: OrderPaid has version 99, and this program knows versions up to 1",
    ]


async def test_a_handler_that_fails_once_is_retried(messaging: Messaging) -> None:
    failures = [RuntimeError("a hiccup")]

    async def fail_once(event: Event, message: Message, ledger: SalesLedger) -> None:
        await record_sales(event, message, ledger)
        while failures:
            raise failures.pop()

    broker = MemoryBroker()
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)))
    consumer = Consumer([broker.subscribe("sales")], messaging.process(fail_once), backoff=QUICK)
    assert [await consumer.run_once() for _ in range(2)] == [False, True]
    assert await messaging.sales() == SOLD


async def test_a_message_of_another_type_is_skipped_and_logged_once(messaging: Messaging, caplog: pytest.LogCaptureFixture) -> None:
    process = messaging.process()
    unknown = [message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"event_type": "OrderLost", "payload": None}) for _ in range(2)]
    assert [await process(each) for each in unknown] == [Verdict.SKIPPED, Verdict.SKIPPED]
    assert await messaging.dead() == []
    logged = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert logged == [f"message {unknown[0].id} is skipped: OrderLost is not handled here"]


async def test_a_skipped_message_is_not_delivered_again(messaging: Messaging, broker: Broker) -> None:
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"event_type": "OrderLost"}))
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)))
    consumer = Consumer([broker.subscribe("sales")], messaging.process(), wait=5)
    assert [await consumer.run_once() for _ in range(2)] == [1, 1]
    assert await messaging.sales() == SOLD


async def test_a_newer_version_waits_for_a_newer_program_and_later_messages_wait_for_it(messaging: Messaging, broker: Broker) -> None:
    newer = message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"version": 2})
    await broker.publish(newer)
    await broker.publish(message(OrderCancelled(ORDER, USER, TOTAL)))
    old = Consumer([broker.subscribe("sales")], messaging.process(attempts=1), wait=0.2, backoff=QUICK)
    assert [await old.run_once() for _ in range(3)] == [0, 0, 0]
    assert (await messaging.sales(), await messaging.dead()) == ([], [])
    assert await receive_all(broker.subscribe("sales"), 1, wait=0.2) == [newer, ANY]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
async def test_a_consumer_is_sent_the_events_that_have_an_effect(messaging: Messaging, event: Event) -> None:
    await messaging.process()(message(event))
    has_effect = await messaging.sales() != []
    assert not has_effect or type(event) in sales.EVENTS
    assert bool(stale_keys(event)) == (type(event) in cache_invalidation.EVENTS)
    store = MemorySessionStore()
    await store.open("1", "a digest", USER, 1, "pytest", timedelta(hours=1))

    async def standing(_: UserId) -> Ok[Standing]:
        return Ok(Standing(Role.CUSTOMER, 2))

    await SessionRevocation(store, standing).process(event, message(event))
    assert (await store.get("1") is None) == (type(event) in session_revocation.EVENTS)


async def test_a_newer_event_that_no_program_will_read_can_be_made_a_dead_letter(messaging: Messaging) -> None:
    process = MessageReader(
        (OrderPaid,), messaging.inbox("sales"), IdempotentConsumer(messaging.inbox("sales"), record_sales), buries_newer=True
    )
    newer = message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"version": 99})
    assert await process(newer) is Verdict.DEAD
    assert await messaging.dead() == [
        ("sales", newer.id, "OrderPaid", 1, "OrderPaid has version 99, and this program knows versions up to 1")
    ]


async def test_an_unreadable_message_is_a_dead_letter_at_once(messaging: Messaging) -> None:
    unreadable = read_message(b"not a message")
    assert await messaging.process()(unreadable) is Verdict.DEAD
    assert await messaging.dead() == [("sales", unreadable.id, "Unreadable", 1, "unknown event type Unreadable")]


UNKEEPABLE: list[dict[str, Any]] = [
    {"event_type": "X" * 61},
    {"trace_id": "x" * 65},
    {"aggregate": "order\0"},
    {"payload": {"order": ["\0"]}},
    {"payload": {"\0": 1}},
]


@pytest.mark.parametrize("change", UNKEEPABLE, ids=lambda change: next(iter(change)))
async def test_a_message_that_the_inbox_cannot_store_is_a_dead_letter(messaging: Messaging, change: dict[str, Any]) -> None:
    foreign = message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update=change)
    process = messaging.process()
    assert await process(read_message(foreign.model_dump_json().encode())) is Verdict.DEAD
    assert [event_type for _, _, event_type, *_ in await messaging.dead()] == ["Unreadable"]


async def test_a_dead_letter_has_its_content(pool: Pool, conn: AsyncConnection[Any]) -> None:
    inbox = PostgresInbox(pool, "sales", PostgresSalesLedger)
    process = MessageReader((OrderPaid,), inbox, IdempotentConsumer(inbox, record_sales))
    assert await process(read_message(b"not a message")) is Verdict.DEAD
    cur = await conn.execute("SELECT dead_message->>'payload' FROM inbox WHERE dead_at IS NOT NULL")
    assert await cur.fetchone() == ("not a message",)


async def test_a_database_outage_counts_as_no_failure(messaging: Messaging) -> None:
    async def lose(event: Event, message: Message, ledger: SalesLedger) -> None:
        raise StoreLost("down")

    process = messaging.process(lose, attempts=1)
    paid = message(OrderPaid(ORDER, USER, TOTAL))
    assert await process(paid) is Verdict.NOT_NOW
    assert await messaging.inbox("sales").count_failure(paid, "the first") == 1


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(messaging: Messaging, caplog: pytest.LogCaptureFixture) -> None:
    broker, stop = MemoryBroker(), asyncio.Event()
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)))
    subscription = broker.subscribe("sales")
    handled: list[bool] = []
    looked: list[bool] = []

    async def lose(event: Event, message: Message, ledger: SalesLedger) -> None:
        handled.append(len(handled) >= 5)
        if not handled[-1]:
            raise StoreLost("down")

    class Lost:
        """A subscription whose broker does not answer five times."""

        async def next(self, wait: float) -> Delivery | None:
            looked.append(True)
            if len(looked) <= 5:
                raise BrokerUnavailable("down")
            if handled[-1:] == [True]:
                stop.set()
                return None
            return await subscription.next(wait)

    # Ten seconds pass between two looks, after which an outage has ended.
    consumer = Consumer([Lost()], messaging.process(lose), backoff=QUICK, clock=lambda: 10.0 * len(looked))
    assert await consumer.run(stop) == 1
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the broker does not answer: down",
        "the broker answers again",
        "messages wait for the database: down",
        "the database answers again",
    ]


async def test_a_broker_that_answers_in_part_is_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    looked: list[float] = []

    class Partition:
        """A subscription of which each second request fails."""

        async def next(self, wait: float) -> Delivery | None:
            looked.append(wait)
            if len(looked) > 40:
                stop.set()
            if len(looked) % 2:
                raise BrokerUnavailable("no such consumer")
            return None

    async def process(message: Message) -> Verdict:
        return Verdict.HANDLED

    await Consumer([Partition(), Partition()], process, backoff=QUICK).run(stop)
    lines = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == ["the broker does not answer: no such consumer"]


async def test_a_failing_message_delays_later_ones_until_it_is_a_dead_letter(messaging: Messaging, broker: Broker) -> None:
    order: list[Event] = [OrderPlaced(ORDER, USER, TOTAL), OrderPaid(ORDER, USER, TOTAL), OrderShipped(ORDER, USER)]
    for event in order:
        await broker.publish(message(event))
    seen: list[str] = []

    async def fail(event: Event, message: Message, ledger: SalesLedger) -> None:
        seen.append(message.event_type)
        if isinstance(event, OrderPaid) or len(seen) == 1:
            raise RuntimeError("a mistake")

    consumer = Consumer([broker.subscribe("sales")], messaging.process(fail, attempts=2), backoff=QUICK)
    assert [await consumer.run_once() for _ in range(6)] == [False, True, False, True, True, False]
    assert seen == ["OrderPlaced", "OrderPlaced", "OrderPaid", "OrderPaid", "OrderShipped"]


async def test_a_consumer_waits_longer_after_each_message_whose_dependency_is_down() -> None:
    stop, waits = asyncio.Event(), list[int]()

    class Recorded(Backoff):
        def wait(self, failures: int) -> float:
            waits.append(failures)
            return 0.0

    class Unordered:
        """A subscription with another message each time, and the delivery of it."""

        body, traceparent, count = message(EVENTS[0]).model_dump_json().encode(), "", 1

        async def next(self, wait: float) -> Delivery:  # noqa: ARG002 never
            return self

        async def accept(self) -> None:
            stop.set()

        async def retry(self, after: float) -> None: ...

        async def discard(self) -> None: ...

    verdicts = iter([*[Verdict.NOT_NOW] * 4, Verdict.HANDLED])

    async def process(_: Message) -> Verdict:
        return next(verdicts)

    assert await Consumer([Unordered()], process, backoff=Recorded()).run(stop) == 1
    # Of each message, which is delivered for the first time, and of the consumer.
    assert waits == [1, 1, 1, 2, 1, 3, 1, 4]


async def test_beyond_its_queries_a_handled_message_waits_for_its_commit_alone(inbox_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox: PostgresInbox[SalesLedger] = PostgresInbox(inbox_pool, "sales", PostgresSalesLedger)
    process, paid, waits, wait = IdempotentConsumer(inbox, record_sales), OrderPaid(ORDER, USER, TOTAL), list[str](), Connection.wait

    async def counted(conn: Connection, gen: Any, *args: Any) -> Any:
        waits.append(gen.__name__)
        return await wait(conn, gen, *args)

    # psycopg prepares a statement the fifth time.
    for _ in range(8):
        assert await process(paid, message(paid)) is Verdict.HANDLED
    monkeypatch.setattr(Connection, "wait", counted)
    assert await process(paid, message(paid)) is Verdict.HANDLED
    # The transaction begins with the first of two queries.
    assert (len(waits), waits[0], waits[-1]) == (3, "fetch_pipeline", "_commit_gen")


async def test_the_wait_after_a_failure_grows_with_failures_and_not_with_deliveries(messaging: Messaging, broker: Broker) -> None:
    await broker.publish(message(OrderPaid(ORDER, USER, TOTAL)))
    waits = list[int]()

    class Recorded(Backoff):
        def wait(self, failures: int) -> float:
            waits.append(failures)
            return 0.0

    reasons = iter(
        [Later("not its turn"), NotReady("down"), Later("not its turn"), RuntimeError("first"), Later("again"), RuntimeError("second")]
    )

    async def handle(event: Event, message: Message, ledger: SalesLedger) -> None:
        if (reason := next(reasons, None)) is not None:
            raise reason

    consumer = Consumer([broker.subscribe("sales")], messaging.process(handle), wait=30, backoff=QUICK, after_failure=Recorded())
    assert [await consumer.run_once() for _ in range(7)] == [0, 0, 0, 0, 0, 0, 1]
    assert waits == [1, 2]


async def test_a_stopped_consumer_finishes_its_message_and_leaves_the_others(broker: Broker) -> None:
    for number in range(3):
        await broker.publish(message(OrderPaid(OrderId(uuid.UUID(int=number)), USER, TOTAL)))
    stop = asyncio.Event()
    seen: list[uuid.UUID] = []

    async def stop_at_the_first(message: Message) -> Verdict:
        seen.append(message.id)
        stop.set()
        return Verdict.HANDLED

    async with asyncio.timeout(300):
        assert await Consumer([broker.subscribe("sales")], stop_at_the_first).run(stop) == 1
    assert len(seen) == 1
    assert len(await receive_all(broker.subscribe("sales"), 2)) == 2
