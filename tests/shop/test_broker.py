"""Messages, and the contract of a broker, for NATS and in memory."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shop.application.messaging.broker import BrokerUnavailable, Delivery, MessageRefused, Subscription
from shop.application.messaging.contracts import UnreadableMessage
from shop.application.messaging.interest import PARTITIONS, Interest, partition_of
from shop.application.messaging.messages import Message, decode, read_message
from shop.application.messaging.status import Status
from shop.domain.events import Event, OrderPaid, OrderShipped
from shop.domain.values import OrderId
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.local_servers import LocalServer, nats_server

from .events import EVENTS, TOTAL, USER, message
from .faults.proxy import Fault, Proxy, Rates, running, tcp
from .ports import Broker, receive_all
from .servers import frozen


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_out_of_its_message_as_it_went_in(event: Event) -> None:
    assert decode(Message.model_validate_json(message(event).model_dump_json())) == event


@pytest.mark.parametrize(
    ("event_type", "payload"), [("OrderLost", {}), ("OrderPaid", {}), ("OrderPaid", {"order_id": "8"}), ("OrderPaid", None)]
)
def test_a_message_of_an_unknown_form_is_unreadable(event_type: str, payload: Any) -> None:
    with pytest.raises(UnreadableMessage):
        decode(message(EVENTS[0]).model_copy(update={"event_type": event_type, "payload": payload}))


def test_a_body_that_is_not_a_message_has_a_stable_id() -> None:
    first, second = read_message(b"\xff\0"), read_message(b"\xff\0")
    assert (first.id, first.event_type) == (second.id, "Unreadable")
    assert "\0" not in str(first.payload)


async def delivered(subscription: Subscription) -> Delivery:
    delivery = await subscription.next(5)
    assert delivery is not None
    return delivery


async def test_messages_are_delivered_in_the_order_of_their_publishing(broker: Broker) -> None:
    messages = [message(event) for event in EVENTS]
    for each in messages:
        await broker.publish(each)
    assert await receive_all(broker.subscribe("sales"), len(messages)) == messages


async def test_each_consumer_has_its_own_durable_position(broker: Broker) -> None:
    first, second = message(EVENTS[0]), message(EVENTS[1])
    await broker.publish(first)
    assert await receive_all(broker.subscribe("sales"), 1) == [first]
    await broker.publish(second)
    assert await receive_all(broker.subscribe("sales"), 1) == [second]
    assert await receive_all(broker.subscribe("cache"), 2) == [first, second]


async def test_a_consumer_receives_the_types_of_its_interest_alone(broker: Broker) -> None:
    messages = [message(event) for event in EVENTS]
    for each in messages:
        await broker.publish(each)
    interest = Interest(frozenset({"OrderPaid", "UserDeleted", "Unheard"}))
    received = await receive_all(broker.subscribe("sales", interest), 2)
    assert [each.event_type for each in received] == ["UserDeleted", "OrderPaid"]


async def test_each_message_is_in_one_partition_which_is_that_of_its_aggregate(broker: Broker) -> None:
    sent = [message(OrderPaid(OrderId(uuid.UUID(int=number)), USER, TOTAL)) for number in range(40)]
    sent += [message(OrderShipped(OrderId(uuid.UUID(int=number)), USER)) for number in range(40)]
    for each in sent:
        await broker.publish(each)
    for partition in range(PARTITIONS):
        expected = [each for each in sent if partition_of(each.aggregate) == partition]
        found = await receive_all(broker.subscribe("sales", Interest(partition=partition)), len(expected), wait=0.01)
        assert found == expected
    assert len({partition_of(each.aggregate) for each in sent}) > PARTITIONS / 2


def test_the_partition_of_an_aggregate_never_changes() -> None:
    # Another number would let later events of an aggregate overtake those that are stored.
    assert [partition_of(aggregate) for aggregate in ("order:1", "user:1", "login:ada@example.org")] == [9, 2, 15]


async def test_a_message_that_was_published_twice_is_stored_once(broker: Broker) -> None:
    once = message(EVENTS[0])
    await broker.publish(once)
    await broker.publish(once)
    assert await receive_all(broker.subscribe("sales"), 1) == [once]


async def test_a_redelivered_message_is_counted(broker: Broker) -> None:
    await broker.publish(message(EVENTS[0]))
    subscription = broker.subscribe("sales")
    for count in (1, 2, 3):
        delivery = await delivered(subscription)
        assert delivery.count == count
        await delivery.retry(0.01)
    await (await delivered(subscription)).discard()
    assert await subscription.next(0.2) is None


async def test_later_messages_wait_for_all_subscribers_until_a_message_is_settled(broker: Broker) -> None:
    first, second = message(EVENTS[0]), message(EVENTS[1])
    await broker.publish(first)
    await broker.publish(second)
    one, other = broker.subscribe("sales"), broker.subscribe("sales")
    taken = await delivered(one)
    assert await other.next(0.2) is None
    await taken.retry(0.3)
    assert await one.next(0.1) is None
    assert await receive_all(other, 2) == [first, second]


async def test_the_positions_of_a_consumer_are_removed_with_those_of_its_partitions(broker: Broker) -> None:
    await broker.publish(message(EVENTS[0]))
    for name, partition in (("old", 2), ("old", 3), ("old-er", 3)):
        await broker.subscribe(name, Interest(partition=partition)).next(0.1)
    assert await broker.forget("old") == 2
    assert "old" not in await broker.waiting()
    assert "old-er" in await broker.waiting()
    assert await broker.forget("old") == 0


async def test_the_processes_that_say_that_they_run_are_listed(nats_broker: NatsBroker) -> None:
    listening = asyncio.create_task(nats_broker.listen(0.5))
    while not listening.done():
        for number in (2, 1):
            await nats_broker.announce(Status(name="relay", host="here", process=number))
    assert [(each.name, each.process) for each in await listening] == [("relay", 1), ("relay", 2)]


async def test_a_consumer_that_was_created_without_ordering_is_updated(nats_broker: NatsBroker) -> None:
    jetstream = await nats_broker.jetstream()
    await jetstream.add_consumer("SHOP", ConsumerConfig(durable_name="sales", ack_policy=AckPolicy.EXPLICIT))  # pyright: ignore[reportUnknownMemberType]
    await nats_broker.publish(message(EVENTS[0]))
    await nats_broker.publish(message(EVENTS[1]))
    subscription = nats_broker.subscribe("sales")
    await delivered(subscription)
    assert await subscription.next(0.2) is None


async def test_a_consumer_that_needs_no_order_any_more_waits_for_no_settlement(nats_broker: NatsBroker) -> None:
    for event in EVENTS[:3]:
        await nats_broker.publish(message(event))
    first = await delivered(nats_broker.subscribe("sales"))
    unordered = nats_broker.subscribe("sales", is_ordered=False)
    others = [await delivered(unordered), await delivered(unordered)]
    bodies = {each.body for each in (first, *others)}
    assert len(bodies) == 3


async def test_a_waiting_consumer_whose_stream_is_deleted_receives_from_the_recreated_one(nats_broker: NatsBroker) -> None:
    subscription = nats_broker.subscribe("sales")
    assert await receive_all(subscription) == []
    await (await nats_broker.jetstream()).delete_stream("SHOP")
    sent = message(EVENTS[0])
    found: list[Message] = []
    async with asyncio.timeout(300):
        while not found:
            with suppress(BrokerUnavailable):
                await nats_broker.publish(sent)
                found = await receive_all(subscription)
    assert found == [sent]


async def test_a_cancelled_wait_is_cancelled_though_the_connection_is_closed_at_the_same_time(nats_broker: NatsBroker) -> None:
    waiting = asyncio.create_task(nats_broker.subscribe("sales").next(60))
    jetstream = await nats_broker.jetstream()
    async with asyncio.timeout(300):
        while True:
            with suppress(NotFoundError):
                if (await jetstream.consumer_info("SHOP", "sales")).num_waiting:
                    break
    # The client raises an error of the closed connection instead of the cancellation.
    closing = asyncio.create_task(nats_broker.close())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await closing


async def test_a_message_that_is_too_large_is_refused(nats_broker: NatsBroker) -> None:
    with pytest.raises(MessageRefused, match="payload"):
        await nats_broker.publish(message(EVENTS[0]).model_copy(update={"payload": "x" * 2_000_000}))


async def test_a_broker_that_does_not_exist_is_unavailable() -> None:
    async with open_broker("nats://127.0.0.1:1") as broker:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(message(EVENTS[0]))
        with pytest.raises(BrokerUnavailable):
            await broker.subscribe("sales").next(0.1)


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[LocalServer]:
    """A server of its own for each test: what was sent to a frozen one arrives later."""
    with nats_server(tmp_path) as server:
        yield server


async def until_published(broker: NatsBroker) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(BrokerUnavailable):
                await broker.publish(message(EVENTS[0]))
                return


async def test_an_answer_that_arrives_too_late_leaves_the_connection_alone(own_nats: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_broker(own_nats.url, answer_within=0.2, ping_interval=600) as broker:
        await until_published(broker)
        caplog.clear()
        with frozen(own_nats), pytest.raises(BrokerUnavailable):
            await broker.announce(Status(name="relay", host="here", process=1))
        await until_published(broker)
        assert [record.getMessage() for record in caplog.records if "nats" in record.name] == []


async def test_a_client_that_has_stopped_reading_connects_again(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url, answer_within=0.2, ping_interval=600) as broker:
        # nats-py cannot parse the subject.
        listening = asyncio.create_task(broker.listen(0.5))
        await send_strange_status(own_nats, listening)
        await until_published(broker)


async def send_strange_status(nats: LocalServer, listening: asyncio.Task[object]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(nats.url.rpartition(":")[2]))
    writer.write(b'CONNECT {"verbose": false}\r\n')
    while not listening.done():
        writer.write(b"PUB shop.status.\xff 0\r\n\r\nPING\r\n")
        while await reader.readline() != b"PONG\r\n":
            pass
        await asyncio.wait([listening], timeout=0.01)
    writer.close()
    await writer.wait_closed()


async def test_a_connection_on_which_nothing_arrives_is_replaced(own_nats: LocalServer) -> None:
    silence = Rates(request=1.0, weights={Fault.HALF_OPEN: 1})
    async with (
        running(Proxy("nats", tcp(int(own_nats.url.rpartition(":")[2])))) as proxy,
        open_broker(f"nats://127.0.0.1:{proxy.port}", answer_within=0.2, ping_interval=0.1) as broker,
    ):
        await until_published(broker)
        proxy.rates = silence
        with pytest.raises(BrokerUnavailable):
            await broker.publish(message(EVENTS[0]))
        proxy.rates = Rates()
        await until_published(broker)


async def send_more_than_buffers_hold(broker: NatsBroker) -> None:
    large = message(EVENTS[0]).model_copy(update={"payload": "x" * 900_000})

    async def send() -> None:
        with pytest.raises((BrokerUnavailable, TimeoutError)):
            async with asyncio.timeout(0.3):
                await broker.publish(large)

    await asyncio.gather(*(send() for _ in range(12)))


async def test_the_end_does_not_wait_for_a_server_that_reads_nothing(own_nats: LocalServer) -> None:
    async with asyncio.timeout(60), open_broker(own_nats.url, answer_within=0.2, ping_interval=600) as broker:
        await until_published(broker)
        with frozen(own_nats):
            await send_more_than_buffers_hold(broker)
            await broker.close()


async def test_a_new_connection_does_not_wait_for_what_was_not_written_to_the_old_one(own_nats: LocalServer) -> None:
    port, writers = int(own_nats.url.rpartition(":")[2]), list[asyncio.StreamWriter]()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, server = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, server))
        requests, answers = asyncio.create_task(forward(reader, server)), asyncio.create_task(forward(upstream, writer))
        if len(writers) == 2:
            await is_deaf.wait()
            requests.cancel()
            answers.cancel()
        await asyncio.wait([requests, answers])

    is_deaf = asyncio.Event()
    network = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        url = f"nats://127.0.0.1:{network.sockets[0].getsockname()[1]}"
        async with open_broker(url, answer_within=0.2, ping_interval=0.2) as broker:
            await until_published(broker)
            is_deaf.set()
            await send_more_than_buffers_hold(broker)
            await until_published(broker)
    finally:
        network.close()
        for writer in writers:
            writer.close()
