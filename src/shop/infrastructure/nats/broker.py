"""The broker's ports over NATS JetStream."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig, StreamInfo
from pydantic import ValidationError

from shop.application.cancellation import cancellation_first
from shop.application.messaging.broker import BrokerUnavailable, Delivery, MessageRefused, Place, StreamExtent
from shop.application.messaging.interest import ALL, PARTITIONS, Interest, kind_of, partition_of
from shop.application.messaging.messages import Message
from shop.application.messaging.status import Status
from shop.infrastructure.nats.client import EventClient
from shop.infrastructure.telemetry import publishing

_log = logging.getLogger("shop.nats")

# shop.events.<partition>.<kind of aggregate>.<event type>
_SUBJECTS = "shop.events.>"
_CONNECT_TIMEOUT = 2.0
_PUBLISH_TIMEOUT = 5.0
# A connection on which nothing arrives is replaced at the third ping that the server would have to answer.
_PING_INTERVAL = 5.0
_UNANSWERED_PINGS = 2
# For how long the broker deduplicates by message id. Later duplicates are handled by the inbox.
_DUPLICATE_WINDOW = 120.0
# How long the broker waits for a process that may have died before it redelivers the message; later messages wait. If a handler takes
# longer, another process receives the message too, and waits for this one at the inbox.
_ACK_WAIT = 2.0
# Nothing waits for an unsettled message. Longer than a handler takes, since a wait that the handler requests after that has no effect.
_UNORDERED_ACK_WAIT = 30.0
# How often the stream's identity is checked: another process may have recreated it while the connection persisted.
_IDENTITY_KNOWN = 5.0
# "stream name already in use with a different configuration"
_STREAM_DIFFERS = 10058
_PARTITIONS = frozenset(map(str, range(PARTITIONS)))
# Every error of the client and of the broker's API is one of these.
_UNAVAILABLE = (nats.errors.Error, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class _Link:
    """A connection and the identity of the stream, which is valid until a time of the event loop's clock."""

    client: Client
    jetstream: JetStreamContext
    identity: str
    known_until: float


class NatsBroker:
    """A connection that is established on first use, and again after a loss. Created by `open_broker`."""

    def __init__(self, url: str, stream: str, keep: timedelta, *, answer_within: float, ping_interval: float) -> None:
        self._url = url
        self._stream = stream
        self._keep = keep
        self._answer_within = answer_within
        self._ping_interval = ping_interval
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._is_closing = False

    async def publish(self, message: Message) -> Place:
        """Store the message and return its place."""
        link = await self._linked()
        kind, _, _ = message.aggregate.partition(":")
        try:
            with cancellation_first(), publishing(message) as traceparent:
                stored = await link.jetstream.publish(
                    f"shop.events.{partition_of(message.aggregate)}.{kind}.{message.event_type}",
                    message.model_dump_json().encode(),
                    timeout=self._answer_within,
                    headers={"Nats-Msg-Id": str(message.id)} | ({"traceparent": traceparent} if traceparent else {}),
                )
                if stored.duplicate:
                    await self._require_stored(link.jetstream, stored.seq)
        except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError) as error:
            raise MessageRefused(str(error)) from error
        except _UNAVAILABLE as error:
            if isinstance(error, nats.js.errors.APIError) and not isinstance(error, nats.js.errors.ServiceUnavailableError):
                raise MessageRefused(str(error.description)) from error
            if isinstance(error, nats.js.errors.NoStreamResponseError):
                # The stream was lost with the server's storage: the next connection recreates it.
                await self.close()
            raise BrokerUnavailable(_sentence(error)) from error
        return Place(link.identity, stored.seq)

    async def extent(self) -> StreamExtent:
        """Return the extent of the stream. Raises `BrokerUnavailable`."""
        link = await self._linked()
        with _translated():
            # The client's own call does not request the deleted messages.
            answer = await link.client.request(
                f"$JS.API.STREAM.INFO.{self._stream}", b'{"deleted_details":true}', timeout=self._answer_within
            )
        response: dict[str, Any] = json.loads(answer.data)
        if "error" in response:
            raise BrokerUnavailable(str(response["error"].get("description", "the stream cannot be inspected")))
        info = StreamInfo.from_response(response)
        return StreamExtent(_identity_of(info), info.state.first_seq, info.state.last_seq, info.state.deleted or ())

    async def announce(self, status: Status) -> None:
        """Send a status message to `shop.status.<name>`, which is not stored. Raises `BrokerUnavailable`."""
        link = await self._linked()
        with _translated():
            await link.client.publish(f"shop.status.{status.name}", status.model_dump_json().encode())
            await link.client.flush(self._answer_within)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number

    async def waiting(self) -> Mapping[str, int]:
        """Return the number of messages that each consumer has not settled yet. Raises `BrokerUnavailable`."""
        waiting = Counter[str]()
        for durable, number in (await self._durables()).items():
            waiting[_consumer_of(durable)] += number
        return waiting

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were. Raises `BrokerUnavailable`."""
        jetstream, removed = await self.jetstream(), 0
        for durable in await self._durables():
            if _consumer_of(durable) == consumer:
                with _translated(), suppress(nats.js.errors.NotFoundError):
                    removed += await jetstream.delete_consumer(self._stream, durable)
        return removed

    async def _durables(self) -> Mapping[str, int]:
        jetstream, found = await self.jetstream(), dict[str, int]()
        with _translated():
            # The broker answers with 256 at most.
            while infos := await jetstream.consumers_info(self._stream, len(found)):
                found |= {each.name: (each.num_pending or 0) + (each.num_ack_pending or 0) for each in infos}
        return found

    async def listen(self, seconds: float) -> Sequence[Status]:
        """Return the latest status of each process that sent one within this time, by name. Raises `BrokerUnavailable`."""
        link, found = await self._linked(), dict[tuple[str, str, int], Status]()

        async def receive(message: Msg) -> None:
            with suppress(ValidationError):
                status = Status.model_validate_json(message.data)
                found[status.name, status.host, status.process] = status

        with _translated():
            subscription = await link.client.subscribe("shop.status.>", cb=receive)  # pyright: ignore[reportUnknownMemberType] nats-py types its arguments partially
            try:
                await asyncio.sleep(seconds)
            finally:
                await subscription.unsubscribe()
        return [found[key] for key in sorted(found)]

    def subscribe(self, consumer: str, interest: Interest = ALL, *, is_ordered: bool = True) -> NatsSubscription:
        """Return the subscription of a consumer to its interest, which begins with the oldest message of the stream.

        The position of each partition is stored on its own. If it is not ordered, no message waits for the settlement of another.
        """
        durable = consumer if interest.partition is None else f"{consumer}-{interest.partition}"
        return NatsSubscription(self, self._stream, durable, _subjects(interest), is_ordered=is_ordered)

    async def jetstream(self) -> JetStreamContext:
        """Connect if necessary, and return the JetStream API. Raises `BrokerUnavailable`."""
        return (await self._linked()).jetstream

    async def _linked(self) -> _Link:
        async with self._connecting:
            link = self._link
            if link is None or link.client.is_closed:
                link = self._link = await self._connect()
            elif link.known_until <= asyncio.get_running_loop().time():
                link = self._link = await self._refreshed(link)
            return link

    async def _refreshed(self, link: _Link) -> _Link:
        with _translated():
            identity = _identity_of(await self._make_stream(link.jetstream))
        return replace(link, identity=identity, known_until=asyncio.get_running_loop().time() + _IDENTITY_KNOWN)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._link is not None and self._link.client.is_connected

    async def close(self) -> None:
        """Close the connection."""
        self._is_closing = True
        if self._link is not None:
            with _ignored():
                await self._link.client.close()

    async def _log_disconnected(self) -> None:
        if not self._is_closing:
            _log.info("disconnected")

    async def _connect(self) -> _Link:
        self._is_closing = False
        client = EventClient()
        was_connected = False

        async def failed(error: Exception) -> None:
            if not was_connected:
                # The client would retry until the timeout. Callers retry themselves, and know for how long.
                raise error
            # Later it has to retry; an exception here would end that.
            _log.debug("connection: %s", _sentence(error))

        try:
            with _translated():
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    await client.connect(
                        self._url,
                        name="shop",
                        connect_timeout=1,
                        # Unlimited: callers have their own timeouts.
                        max_reconnect_attempts=-1,
                        ping_interval=self._ping_interval,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number
                        max_outstanding_pings=_UNANSWERED_PINGS,
                        reconnect_time_wait=0.1,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number
                        error_cb=failed,
                        disconnected_cb=self._log_disconnected,
                        reconnected_cb=_log_reconnected,
                    )
                was_connected = True
                identity = _identity_of(await self._make_stream(JetStreamContext(client, timeout=_CONNECT_TIMEOUT)))
        except BaseException:
            # Also if cancelled: the client would retry.
            self._is_closing = True
            with _ignored():
                await client.close()
            raise
        known_until = asyncio.get_running_loop().time() + _IDENTITY_KNOWN
        return _Link(client, JetStreamContext(client, timeout=self._answer_within), identity, known_until)

    async def _require_stored(self, jetstream: JetStreamContext, sequence: int) -> None:
        # The broker also remembers the ids of recently deleted messages, and acknowledges those without storing anything.
        try:
            await jetstream.get_msg(self._stream, sequence)
        except nats.js.errors.NotFoundError:
            raise BrokerUnavailable(
                f"the stream has lost a message whose id it still remembers, and stores it again after {_DUPLICATE_WINDOW:g} s"
            ) from None

    async def _make_stream(self, jetstream: JetStreamContext) -> StreamInfo:
        config = StreamConfig(
            name=self._stream,
            subjects=[_SUBJECTS],
            storage=StorageType.FILE,
            duplicate_window=_DUPLICATE_WINDOW,
            max_age=self._keep.total_seconds(),
        )
        try:
            return await jetstream.add_stream(config)  # pyright: ignore[reportUnknownMemberType] nats-py types its keyword arguments partially
        except nats.js.errors.BadRequestError as error:
            if error.err_code != _STREAM_DIFFERS:
                raise
            return await jetstream.update_stream(config)  # pyright: ignore[reportUnknownMemberType] nats-py types its keyword arguments partially


class NatsSubscription:
    """A durable pull consumer. Created by `NatsBroker.subscribe`."""

    def __init__(self, broker: NatsBroker, stream: str, consumer: str, subjects: Sequence[str], *, is_ordered: bool) -> None:
        self._broker = broker
        self._stream = stream
        self._consumer = consumer
        self._subjects = subjects
        self._is_ordered = is_ordered
        self._subscription: JetStreamContext.PullSubscription | None = None

    async def next(self, wait: float) -> Delivery | None:
        """Return the next message, or None if there is none within `wait` seconds. Raises `BrokerUnavailable`."""
        try:
            with _translated():
                subscription = self._subscription = self._subscription or await self._subscribe()
                try:
                    with cancellation_first():
                        [message] = await subscription.fetch(1, timeout=wait)
                except TimeoutError:
                    message = None
        except BrokerUnavailable:
            # The consumer may be lost with the server's storage: the next call creates it again.
            self._subscription = None
            raise
        if message is None:
            if not self._broker.is_connected:
                raise BrokerUnavailable("not connected")
            return None
        return NatsDelivery(message)

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        jetstream = await self._broker.jetstream()
        config = ConsumerConfig(
            durable_name=self._consumer,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT if self._is_ordered else _UNORDERED_ACK_WAIT,
            # Unlimited: the consumer decides about dead letters, since it can distinguish a failure from an outage.
            max_deliver=-1,
            # Ordering: an unsettled message delays later ones, across all processes and their crashes. Otherwise unlimited.
            max_ack_pending=1 if self._is_ordered else -1,
            # The server sends nothing else.
            filter_subjects=list(self._subjects),
        )
        # Creates the consumer, or updates one with another configuration.
        await jetstream.add_consumer(self._stream, config)  # pyright: ignore[reportUnknownMemberType] nats-py types its keyword arguments partially
        return await jetstream.pull_subscribe_bind(self._consumer, self._stream)


class NatsDelivery:
    """A message of a pull consumer. If the broker does not receive its settlement, it redelivers the message, so that is no error."""

    def __init__(self, message: Msg) -> None:
        self._message = message

    @property
    def body(self) -> bytes:
        """The message, as JSON."""
        return self._message.data

    @property
    def traceparent(self) -> str:
        """The span that published the message, as in W3C Trace Context, or nothing."""
        return (self._message.headers or {}).get("traceparent", "")

    @property
    def count(self) -> int:
        """The number of deliveries, including this one."""
        return self._message.metadata.num_delivered or 1

    async def accept(self) -> None:
        """Acknowledge the message."""
        with _ignored():
            await self._message.ack()

    async def retry(self, after: float) -> None:
        """Request redelivery after this number of seconds."""
        with _ignored():
            await self._message.nak(delay=after)

    async def discard(self) -> None:
        """Request that the message is not redelivered."""
        with _ignored():
            await self._message.term()


@asynccontextmanager
async def open_broker(
    url: str,
    stream: str = "SHOP",
    keep: timedelta = timedelta(days=30),
    *,
    answer_within: float = _PUBLISH_TIMEOUT,
    ping_interval: float = _PING_INTERVAL,
) -> AsyncGenerator[NatsBroker]:
    """Open a broker whose stream keeps messages for `keep`, and close its connection at the end. It connects on first use.

    `answer_within` is the time for an answer in seconds. A connection without any is replaced after three times `ping_interval`.
    """
    broker = NatsBroker(url, stream, keep, answer_within=answer_within, ping_interval=ping_interval)
    try:
        yield broker
    finally:
        await broker.close()


@contextmanager
def _translated() -> Generator[None]:
    try:
        with cancellation_first():
            yield
    except _UNAVAILABLE as error:
        raise BrokerUnavailable(_sentence(error)) from error


@contextmanager
def _ignored() -> Generator[None]:
    with suppress(*_UNAVAILABLE), cancellation_first():
        yield


async def _log_reconnected() -> None:
    _log.info("connected again")


def _consumer_of(durable: str) -> str:
    name, _, partition = durable.rpartition("-")
    # Any other durable consumer is not of this service, and has its whole name.
    return name if name and partition in _PARTITIONS else durable


def _subjects(interest: Interest) -> list[str]:
    partition = "*" if interest.partition is None else interest.partition
    if interest.types is None:
        return [_SUBJECTS if interest.partition is None else f"shop.events.{partition}.>"]
    # With its kind: nats-py cannot parse every subject that the broker accepts.
    return [f"shop.events.{partition}.{kind_of(event_type) or '*'}.{event_type}" for event_type in sorted(interest.types)]


def _identity_of(info: StreamInfo) -> str:
    # With its time of creation: a recreated stream of the same name holds nothing of the old one.
    created = "unknown" if info.created is None else info.created.isoformat()
    return f"{info.config.name}@{created}"


def _sentence(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "NATS does not answer in time"
    return str(error) or type(error).__name__
