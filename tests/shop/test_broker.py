"""Messages, and the contract of a broker, for NATS and in memory."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import timedelta
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
from shop.local_servers import LocalServer

from .events import EVENTS, TOTAL, USER, message
from .ports import Broker, receive_all


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
    for name, partition in (("old", None), ("old", 3), ("old-er", 3)):
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


async def test_the_latest_retention_of_a_stream_applies(nats: LocalServer, nats_broker: NatsBroker) -> None:
    async with open_broker(nats.url, keep=timedelta(days=2)) as later:
        jetstream = await later.jetstream()
        assert (await jetstream.stream_info("SHOP")).config.max_age == timedelta(days=2).total_seconds()
