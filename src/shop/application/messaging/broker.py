"""The ports of the message broker: publisher and subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.application.messaging.messages import Message


@dataclass(frozen=True, slots=True)
class Place:
    """The stream and sequence number of a stored message.

    A stream that was lost and recreated has another name here. Within a stream no number is used twice, unless the stream lost its end.
    """

    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class StreamExtent:
    """The messages of a stream: all from the first to the last sequence number, except the deleted ones."""

    stream: str
    first: int
    last: int
    deleted: Sequence[int] = ()


class BrokerUnavailable(Exception):
    """The broker does not answer. It is unknown whether a message was stored, so it is to be published again."""


class BrokerMisconfigured(BrokerUnavailable):
    """The broker answers, and no waiting makes it usable: its administrator, or a setting, has to change something."""


class MessageRefused(Exception):
    """The broker rejects this message: it is too large, or its subject is invalid."""


class Publisher(Protocol):
    """Publishes messages."""

    async def publish(self, message: Message) -> Place:
        """Store the message and return its place. A message whose id was stored recently is not stored again.

        Raises:
            BrokerUnavailable: the broker did not answer.
            MessageRefused: the broker will never accept this message.
        """
        ...


class Delivery(Protocol):
    """A delivered message. It is redelivered until it is settled by `accept` or `discard`."""

    @property
    def body(self) -> bytes:
        """The message, as JSON."""
        ...

    @property
    def traceparent(self) -> str:
        """The span that published the message, as in W3C Trace Context, or nothing."""
        ...

    @property
    def count(self) -> int:
        """The number of deliveries, including this one."""
        ...

    async def accept(self) -> None:
        """Acknowledge the message."""
        ...

    async def retry(self, after: float) -> None:
        """Request redelivery after this number of seconds."""
        ...

    async def discard(self) -> None:
        """Request that the message is not redelivered."""
        ...


class Subscription(Protocol):
    """The durable position of a consumer in the messages of its interest.

    One message at a time is delivered, however many processes subscribe: the next one waits until this one is settled, also during
    redelivery. So the messages of a subscription arrive in order. A consumer that has a subscription for each partition receives the
    messages of an aggregate in order, and those of others at the same time.
    """

    async def next(self, wait: float) -> Delivery | None:
        """Return the next message, or None if there is none within `wait` seconds. Raises `BrokerUnavailable`."""
        ...
