"""A broker in memory."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shop.application.messaging.broker import Delivery, Place
from shop.application.messaging.interest import ALL, Interest, partition_of
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.status import Status

_SETTLE_WITHIN = 2.0


@dataclass
class _Consumed:
    """The position of a consumer: the index of its next message, when that is due, and how often it was delivered."""

    index: int = 0
    due: float = 0.0
    deliveries: int = 0


class MemoryBroker:
    """Stores all messages, and the position of each consumer."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._stream = f"memory@{uuid.uuid4()}"
        self._places: dict[uuid.UUID, Place] = {}
        self._consumers: dict[tuple[str, int | None], _Consumed] = {}
        self._subscriptions: dict[tuple[str, int | None], MemorySubscription] = {}
        self._arrived = asyncio.Event()

    async def prepare(self) -> None:
        """Do nothing: the broker needs no preparation."""

    async def publish(self, message: Message) -> Place:
        """Store the message, unless its id is known, and return its place."""
        if message.id not in self._places:
            self.messages.append(message.model_dump_json().encode())
            self._places[message.id] = Place(self._stream, len(self.messages))
            self.wake()
        return self._places[message.id]

    def subscribe(self, consumer: str, interest: Interest = ALL, *, is_ordered: bool = True) -> MemorySubscription:  # noqa: ARG002 always
        """Return the subscription of a consumer to its interest, which begins with the oldest message."""
        key = (consumer, interest.partition)
        self._subscriptions[key] = MemorySubscription(self, self._consumers.setdefault(key, _Consumed()), interest)
        return self._subscriptions[key]

    async def announce(self, status: Status) -> None:
        """Do nothing: nobody listens."""

    async def listen(self, seconds: float) -> Sequence[Status]:  # noqa: ARG002 nobody announces
        """Return no status."""
        return []

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were."""
        keys = [key for key in self._consumers if key[0] == consumer]
        for key in keys:
            del self._consumers[key]
            self._subscriptions.pop(key, None)
        return len(keys)

    async def waiting(self) -> Mapping[str, int]:
        """Return the number of messages that each consumer has not settled yet."""
        waiting = Counter[str]()
        for (consumer, _), subscription in self._subscriptions.items():
            waiting[consumer] += subscription.waiting()
        return waiting

    def wake(self) -> None:
        """Wake all waiting subscriptions."""
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait for a wake-up, for `seconds` at most."""
        arrived = self._arrived
        try:
            await asyncio.wait_for(arrived.wait(), seconds)
        except TimeoutError:
            return


class MemorySubscription:
    """`Subscription` in memory."""

    def __init__(self, broker: MemoryBroker, place: _Consumed, interest: Interest) -> None:
        self._broker = broker
        self._place = place
        self._interest = interest

    async def next(self, wait: float) -> Delivery | None:
        """Return the next message, or None if there is none within `wait` seconds."""
        place = self._place
        deadline = time.monotonic() + wait
        while self._is_at_end() or place.due > time.monotonic():
            now = time.monotonic()
            if now >= deadline:
                return None
            await self._broker.wait(min(deadline, place.due if place.due > now else deadline) - now)
        place.due = time.monotonic() + _SETTLE_WITHIN
        place.deliveries += 1
        return MemoryDelivery(self._broker, place)

    def waiting(self) -> int:
        """Return the number of messages that are not settled yet."""
        return sum(map(self._is_of_interest, self._broker.messages[self._place.index :]))

    def _is_at_end(self) -> bool:
        """Skip what is of no interest, and return whether nothing else is stored."""
        while self._place.index < len(self._broker.messages):
            if self._is_of_interest(self._broker.messages[self._place.index]):
                return False
            self._place.index += 1
        return True

    def _is_of_interest(self, body: bytes) -> bool:
        sent, interest = read_message(body), self._interest
        is_partition = interest.partition in {None, partition_of(sent.aggregate)}
        return is_partition and (interest.types is None or sent.event_type in interest.types)


class MemoryDelivery:
    """`Delivery` in memory."""

    traceparent = ""

    def __init__(self, broker: MemoryBroker, place: _Consumed) -> None:
        self._broker = broker
        self._place = place
        self._index = place.index
        self.count = place.deliveries
        self.body = broker.messages[place.index]

    async def accept(self) -> None:
        """Acknowledge the message."""
        if self._place.index == self._index:
            self._place.index, self._place.due, self._place.deliveries = self._index + 1, 0.0, 0
            self._broker.wake()

    async def retry(self, after: float) -> None:
        """Request redelivery after this number of seconds."""
        if self._place.index == self._index:
            self._place.due = time.monotonic() + after
            self._broker.wake()

    async def discard(self) -> None:
        """Request that the message is not redelivered."""
        await self.accept()
