"""The broker's ports in memory."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from shop.application.broker import Delivery
from shop.application.messages import Message


@dataclass
class _Place:
    """A consumer's place in the stream: what it is still to get, each with the time before which it does not, and its deliveries."""

    next_message: int = 0
    again: dict[int, float] = field(default_factory=dict[int, float])
    deliveries: dict[int, int] = field(default_factory=dict[int, int])


class MemoryBroker:
    """Keeps all messages, and each consumer's place among them."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._ids: set[uuid.UUID] = set()
        self._places: dict[str, _Place] = {}
        self._arrived = asyncio.Event()

    async def publish(self, message: Message) -> None:
        """Store the message, unless it is there already."""
        if message.id not in self._ids:
            self._ids.add(message.id)
            self.messages.append(message.model_dump_json().encode())
            self.wake()

    def subscribe(self, consumer: str) -> MemorySubscription:
        """Give a consumer's place in the stream, which begins with its oldest message."""
        return MemorySubscription(self, self._places.setdefault(consumer, _Place()))

    def wake(self) -> None:
        """Have those who wait look again."""
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait until something may have come, and no longer."""
        arrived = self._arrived
        try:
            await asyncio.wait_for(arrived.wait(), seconds)
        except TimeoutError:
            return


class MemorySubscription:
    """`Subscription` in memory."""

    def __init__(self, broker: MemoryBroker, place: _Place) -> None:
        self._broker = broker
        self._place = place

    async def fetch(self, most: int, wait: float) -> Sequence[Delivery]:
        """Get the next messages: at most so many, and none if none comes within so many seconds."""
        deadline = time.monotonic() + wait
        while not (indexes := self._due(most)):
            now = time.monotonic()
            if now >= deadline:
                return []
            await self._broker.wait(min([deadline, *self._place.again.values()]) - now)
        for index in indexes:
            self._place.again.pop(index, None)
            self._place.deliveries[index] = self._place.deliveries.get(index, 0) + 1
        return [MemoryDelivery(self._broker, self._place, index) for index in indexes]

    def _due(self, most: int) -> list[int]:
        now = time.monotonic()
        due = [index for index, moment in sorted(self._place.again.items()) if moment <= now][:most]
        fresh = range(self._place.next_message, min(len(self._broker.messages), self._place.next_message + most - len(due)))
        self._place.next_message = max(self._place.next_message, fresh.stop)
        return [*due, *fresh]


class MemoryDelivery:
    """`Delivery` in memory."""

    def __init__(self, broker: MemoryBroker, place: _Place, index: int) -> None:
        self._broker = broker
        self._place = place
        self._index = index

    @property
    def body(self) -> bytes:
        """The message, as JSON."""
        return self._broker.messages[self._index]

    @property
    def count(self) -> int:
        """How often it was delivered, this time included."""
        return self._place.deliveries[self._index]

    async def accept(self) -> None:
        """Note that it was handled."""

    async def retry(self, after: float) -> None:
        """Have it delivered again, after so many seconds."""
        self._place.again[self._index] = time.monotonic() + after
        self._broker.wake()

    async def discard(self) -> None:
        """Note that it is not to be delivered again."""
