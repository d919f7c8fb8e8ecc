"""The broker's ports over NATS JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from pydantic import ValidationError

from shop.application.cancellation import cancellation_first
from shop.application.messaging.broker import BrokerUnavailable, MessageRefused, Place, StreamExtent
from shop.application.messaging.interest import ALL, Interest
from shop.application.messaging.messages import Message
from shop.application.messaging.status import Status
from shop.infrastructure.nats.connection import UNAVAILABLE, Config, NatsConnection, sentence, translated
from shop.infrastructure.nats.consumers import NatsSubscription, consumers_of
from shop.infrastructure.nats.stream import DUPLICATE_WINDOW, EventStream, identity_of
from shop.infrastructure.nats.subjects import DEFAULT_STREAM
from shop.infrastructure.telemetry import publishing

_PUBLISH_TIMEOUT = 5.0
_PING_INTERVAL = 5.0


class NatsBroker:
    """The stream of a deployment. Created by `open_broker`.

    Only what publishes or receives creates or changes the stream: `prepare`, `publish`, and `next` of a subscription.
    """

    def __init__(self, connection: NatsConnection, stream: EventStream) -> None:
        self._connection = connection
        self._stream = stream
        self._subjects = stream.subjects

    async def prepare(self) -> None:
        """Create or change the stream if necessary. Raises `BrokerUnavailable` or `BrokerMisconfigured`."""
        await self._stream.ensure()

    async def differences(self) -> Sequence[str]:
        """Return what of the stream is not as the settings have it. Raises `BrokerUnavailable` or `BrokerMisconfigured`."""
        return await self._stream.differences()

    async def publish(self, message: Message) -> Place:
        """Store the message and return its place."""
        identity, jetstream = await self._stream.ensure(), await self.jetstream()
        try:
            with cancellation_first(), publishing(message) as traceparent:
                stored = await jetstream.publish(
                    self._subjects.event(message),
                    message.model_dump_json().encode(),
                    timeout=self._connection.answer_within,
                    headers={"Nats-Msg-Id": str(message.id)} | ({"traceparent": traceparent} if traceparent else {}),
                )
                if stored.duplicate:
                    await self._require_stored(jetstream, stored.seq)
        except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError) as error:
            raise MessageRefused(str(error)) from error
        except UNAVAILABLE as error:
            if isinstance(error, nats.js.errors.APIError) and not isinstance(error, nats.js.errors.ServiceUnavailableError):
                raise MessageRefused(str(error.description)) from error
            if isinstance(error, nats.js.errors.NoStreamResponseError):
                # The stream was lost with the server's storage: the next attempt creates it again.
                self._stream.forget()
            raise BrokerUnavailable(sentence(error)) from error
        return Place(identity, stored.seq)

    async def extent(self) -> StreamExtent:
        """Return the extent of the stream, which is empty if there is none. Raises `BrokerUnavailable`."""
        info = await self._stream.info(deleted_details=True)
        if info is None:
            return StreamExtent(f"{self._stream.name}@none", 1, 0)
        state = info["state"]
        return StreamExtent(identity_of(info), state["first_seq"], state["last_seq"], state.get("deleted") or ())

    async def announce(self, status: Status) -> None:
        """Send a status message, with its name in the subject; it is not stored. Raises `BrokerUnavailable`."""
        client = await self._connection.client()
        with translated():
            await client.publish(self._subjects.status(status.name), status.model_dump_json().encode())
            await client.flush(self._connection.answer_within)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number

    async def waiting(self) -> Mapping[str, int]:
        """Return the number of messages that each consumer has not settled yet. Raises `BrokerUnavailable`."""
        infos = await self._durables()
        return {
            name: sum(infos[each].get("num_pending", 0) + infos[each].get("num_ack_pending", 0) for each in durables)
            for name, durables in self._consumers(infos).items()
        }

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were. Raises `BrokerUnavailable`."""
        removed = 0
        for durable in self._consumers(await self._durables()).get(consumer, ()):
            with translated(), suppress(nats.js.errors.NotFoundError):
                removed += bool(await self._connection.api(f"CONSUMER.DELETE.{self._stream.name}.{durable}"))
        return removed

    def _consumers(self, infos: Mapping[str, Config]) -> Mapping[str, list[str]]:
        return consumers_of({name: info["config"] for name, info in infos.items()}, self._subjects)

    async def _durables(self) -> Mapping[str, Config]:
        found = dict[str, Config]()
        with translated():
            try:
                # The broker answers with 256 at most.
                while infos := (await self._connection.api(f"CONSUMER.LIST.{self._stream.name}", {"offset": len(found)}))["consumers"]:
                    found |= {each["name"]: each for each in infos}
            except nats.js.errors.NotFoundError:
                raise self._stream.missing() from None
        return found

    async def listen(self, seconds: float) -> Sequence[Status]:
        """Return the latest status of each process that sent one within this time, by name. Raises `BrokerUnavailable`."""
        client, found = await self._connection.client(), dict[tuple[str, str, int], Status]()

        async def receive(message: Msg) -> None:
            with suppress(ValidationError):
                status = Status.model_validate_json(message.data)
                found[status.name, status.host, status.process] = status

        with translated():
            subscription = await client.subscribe(self._subjects.statuses, cb=receive)  # pyright: ignore[reportUnknownMemberType] nats-py types its arguments partially
            try:
                await asyncio.sleep(seconds)
            finally:
                await subscription.unsubscribe()
        return [found[key] for key in sorted(found)]

    def subscribe(self, consumer: str, interest: Interest = ALL, *, is_ordered: bool = True) -> NatsSubscription:
        """Return the subscription of a consumer to its interest, which begins with the oldest message of the stream.

        The position of each partition is stored on its own. If it is not ordered, no message waits for the settlement of another.
        """
        return NatsSubscription(self._connection, self._stream, consumer, interest, is_ordered=is_ordered)

    async def jetstream(self) -> JetStreamContext:
        """Connect if necessary, and return the JetStream API. Raises `BrokerUnavailable`."""
        return await self._connection.jetstream()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection.is_connected

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _require_stored(self, jetstream: JetStreamContext, sequence: int) -> None:
        # The broker also remembers the ids of recently deleted messages, and acknowledges those without storing anything.
        try:
            await jetstream.get_msg(self._stream.name, sequence)
        except nats.js.errors.NotFoundError:
            raise BrokerUnavailable(
                f"the stream has lost a message whose id it still remembers, and stores it again after {DUPLICATE_WINDOW:g} s"
            ) from None


@asynccontextmanager
async def open_broker(
    url: str,
    stream: str = DEFAULT_STREAM,
    keep: timedelta = timedelta(days=30),
    *,
    answer_within: float = _PUBLISH_TIMEOUT,
    ping_interval: float = _PING_INTERVAL,
) -> AsyncGenerator[NatsBroker]:
    """Open the broker of the stream, which keeps messages for `keep`, and close its connection at the end. It connects on first use.

    `answer_within` is the time for an answer in seconds. A connection without any is replaced after three times `ping_interval`.
    """
    connection = NatsConnection(url, answer_within=answer_within, ping_interval=ping_interval)
    try:
        yield NatsBroker(connection, EventStream(connection, stream, keep))
    finally:
        await connection.close()
