"""The ports of the message broker: what publishes events, and what delivers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.application.messages import Message


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker stores a message: in which stream, and at which sequence number of it.

    A stream that was lost and made anew has another name here. Within a stream no number is used twice, unless the stream lost its end.
    """

    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class StreamExtent:
    """What a stream holds: everything from the first to the last sequence number, except what was deleted in between."""

    stream: str
    first: int
    last: int
    deleted: Sequence[int] = ()


class BrokerUnavailable(Exception):
    """The broker does not answer. Whether it has what was published is not known, so it is to be published again."""


class MessageRefused(Exception):
    """The broker answers, and does not take this message: it is too large, or its subject is not one."""


class Publisher(Protocol):
    """Hands messages to the broker."""

    async def publish(self, message: Message) -> Place:
        """Store the message, and return its place. One that was stored a moment ago, by its id, is not stored again.

        Raises:
            BrokerUnavailable: it did not answer.
            MessageRefused: it will never take this message.
        """
        ...


class Delivery(Protocol):
    """A message that was delivered. It is delivered again, after a while, until it is settled by `accept` or `discard`."""

    @property
    def body(self) -> bytes:
        """The message, as JSON."""
        ...

    @property
    def count(self) -> int:
        """How often it was delivered, this time included."""
        ...

    async def accept(self) -> None:
        """Tell the broker that it was handled."""
        ...

    async def retry(self, after: float) -> None:
        """Ask for it again, after so many seconds."""
        ...

    async def discard(self) -> None:
        """Tell the broker that it is not to be delivered again."""
        ...


class Subscription(Protocol):
    """One consumer's place in the stream of messages, which the broker remembers.

    There is one message at a time, however many processes ask: the next one waits until this one is settled, also where it is to come
    again. So a consumer sees all messages in their order.
    """

    async def next(self, wait: float) -> Delivery | None:
        """Get the next message, or None if there is none within so many seconds. Raises `BrokerUnavailable`."""
        ...
