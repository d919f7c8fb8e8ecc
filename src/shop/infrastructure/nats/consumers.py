"""The durable positions of consumers in the stream, and what is delivered to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import APIError, BadRequestError, NotFoundError

from shop.application.cancellation import cancellation_first
from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable, Delivery
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.infrastructure.nats.connection import Config, NatsConnection, ignored, translated
from shop.infrastructure.nats.stream import EventStream
from shop.infrastructure.nats.subjects import Subjects

_NANOSECONDS = 1_000_000_000
# Unlimited: the consumer decides about dead letters, since it can distinguish a failure from an outage.
_MAX_DELIVER = -1
# How long the broker waits for a process that may have died before it redelivers the message; later messages wait. If a handler takes
# longer, another process receives the message too, and waits for this one at the inbox.
_ACK_WAIT = 2 * _NANOSECONDS
# Ordering: an unsettled message delays later ones, across all processes and their crashes.
_ORDERED: Final[Config] = {"ack_policy": "explicit", "ack_wait": _ACK_WAIT, "max_ack_pending": 1}
# Nothing waits for an unsettled message. Longer than a handler takes, since a wait that the handler requests after that has no effect.
_UNORDERED: Final[Config] = {"ack_policy": "explicit", "ack_wait": 30 * _NANOSECONDS, "max_ack_pending": -1}
_PARTITIONS: Final = frozenset(map(str, range(PARTITIONS)))
# In the description of an error without a code of its own: the durable consumer is of another kind.
_FIXED = "can not be updated"
# A name of a durable consumer has no spaces.
_WHOLE = " (whole)"


class NatsSubscription:
    """A durable pull consumer. Created by `NatsBroker.subscribe`."""

    def __init__(self, connection: NatsConnection, stream: EventStream, consumer: str, interest: Interest, *, is_ordered: bool) -> None:
        self._connection = connection
        self._stream = stream
        self._durable = consumer if interest.partition is None else f"{consumer}-{interest.partition}"
        self._config: Config = {
            "durable_name": self._durable,
            "max_deliver": _MAX_DELIVER,
            **(_ORDERED if is_ordered else _UNORDERED),
            # The server sends nothing else.
            "filter_subjects": stream.subjects.interest(interest),
        }
        self._subscription: JetStreamContext.PullSubscription | None = None

    async def next(self, wait: float) -> Delivery | None:
        """Return the next message, or None if there is none within `wait` seconds. Raises `BrokerUnavailable`."""
        try:
            with translated():
                subscription = self._subscription = self._subscription or await self._subscribe()
                try:
                    with cancellation_first():
                        [message] = await subscription.fetch(1, timeout=wait)
                except TimeoutError:
                    message = None
        except BrokerUnavailable:
            # The consumer, or the stream, may be lost with the server's storage: the next call creates them again.
            self._subscription = None
            self._stream.forget()
            raise
        if message is None:
            if not self._connection.is_connected:
                raise BrokerUnavailable("not connected")
            return None
        return NatsDelivery(message)

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        await self._stream.ensure()
        found: Config = {}
        with suppress(NotFoundError):
            found = (await self._connection.api(f"CONSUMER.INFO.{self._stream.name}.{self._durable}"))["config"]
        # The other members are left as they are. One subject might be in another member.
        found.pop("filter_subject", None)
        request = {"stream_name": self._stream.name, "config": found | self._config}
        try:
            # Creates the consumer, or updates one with another configuration.
            await self._connection.api(f"CONSUMER.DURABLE.CREATE.{self._stream.name}.{self._durable}", request)
        except APIError as error:
            if isinstance(error, BadRequestError) or _FIXED in str(error.description):
                raise BrokerMisconfigured(f"NATS refuses the consumer {self._durable}: {error.description}") from error
            raise
        return await (await self._connection.jetstream()).pull_subscribe_bind(self._durable, self._stream.name)


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
        with ignored():
            await self._message.ack()

    async def retry(self, after: float) -> None:
        """Request redelivery after this number of seconds."""
        with ignored():
            await self._message.nak(delay=after)

    async def discard(self) -> None:
        """Request that the message is not redelivered."""
        with ignored():
            await self._message.term()


def consumers_of(durables: Mapping[str, Config], subjects: Subjects) -> Mapping[str, list[str]]:
    """Return the durable consumers of each consumer, by the configurations of the durable ones.

    Those of the partitions of a consumer of this service have its name, also if the program has no such consumer any more. Each other one
    has its whole name; if a consumer of this service has that name, too, ` (whole)` follows it.
    """
    found = dict[str, list[str]]()
    others = list[str]()
    for durable, config in durables.items():
        name, _, partition = durable.rpartition("-")
        if name and partition in _PARTITIONS and _is_of_partition(config, subjects.partition(partition)):
            found.setdefault(name, []).append(durable)
        else:
            others.append(durable)
    return found | {f"{each}{_WHOLE}" if each in found else each: [each] for each in others}


def _is_of_partition(config: Config, beginning: str) -> bool:
    """Return whether this service created such a consumer: it has subjects of the partition alone, and settings that nothing else has."""
    filters: list[str] = config.get("filter_subjects") or [config.get("filter_subject") or ""]
    is_ours = any(each.items() <= config.items() for each in (_ORDERED, _UNORDERED)) and not config.get("deliver_subject")
    return is_ours and all(each.startswith(beginning) for each in filters)
