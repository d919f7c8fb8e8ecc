"""The ports of the message broker: what publishes events, and what delivers them."""

from __future__ import annotations

from typing import Protocol

from shop.application.messages import Message


class BrokerUnavailable(Exception):
    """The broker does not answer. Whether it has what was published is not known, so it is to be published again."""


class MessageRefused(Exception):
    """The broker answers, and does not take this message: it is too large, or its subject is not one."""


class Publisher(Protocol):
    """Hands messages to the broker."""

    async def publish(self, message: Message) -> None:
        """Return once the broker has stored the message. One that it has stored a moment ago, by its id, it does not store again.

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
