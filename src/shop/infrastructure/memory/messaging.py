"""`OutboxQueue` and `Inbox` in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from shop.application.broker import Place
from shop.application.consumer import InboxEntry
from shop.application.messages import Message
from shop.application.read_models import DailySales
from shop.application.relay import ClaimedBatch, Waiting
from shop.domain.money import Currency
from shop.infrastructure.memory.state import InboxKey, InboxRow, MemoryState, OutboxRow
from shop.infrastructure.memory.store import MemoryClaim, MemoryStore


class MemoryOutboxQueue:
    """The outbox of a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @asynccontextmanager
    async def claim(self, most: int, lease: float) -> AsyncGenerator[ClaimedBatch]:
        """Claim the next messages for the length of the block, and for so many seconds at most."""
        store, now = self._store, datetime.now(UTC)
        first: dict[str, OutboxRow] = {}
        for row in store.state.outbox.values():
            if row.waits:
                first.setdefault(row.message.aggregate, row)
        free = [row for row in first.values() if row.due_at <= now and not store.is_claimed(row.position)]
        batch = MemoryClaimedBatch(store, free[:most], time.monotonic() + lease)
        try:
            yield batch
        finally:
            batch.release()


class MemoryClaimedBatch:
    """Messages that no other relay gets until the lease is over."""

    def __init__(self, store: MemoryStore, rows: Sequence[OutboxRow], until: float) -> None:
        self.waiting = [Waiting(row.position, row.attempts, row.message) for row in rows]
        self._store = store
        self._claim = MemoryClaim(until)
        store.claims |= {row.position: self._claim for row in rows}

    async def published(self, places: Mapping[int, Place]) -> None:
        """Record where the broker has stored messages, by their positions."""
        now = datetime.now(UTC)
        with self._store.writing() as state:
            for position, row in state.outbox.items():
                if row.place in places.values() and position not in places:
                    state.outbox[position] = replace(row, published_at=None, place=None)
            for position, place in places.items():
                if self._holds(position):
                    state.outbox[position] = replace(state.outbox[position], published_at=now, place=place)

    async def refused(self, position: int, error: str, retry_after: float, *, give_up: bool) -> None:
        """Record that the broker refused one."""
        now = datetime.now(UTC)
        if not self._holds(position):
            return
        with self._store.writing() as state:
            row = state.outbox[position]
            state.outbox[position] = replace(
                row,
                attempts=row.attempts + 1,
                last_error=error,
                due_at=now + timedelta(seconds=retry_after),
                dead_at=now if give_up else None,
            )

    def release(self) -> None:
        """End the claim."""
        for position in [position for position in self._store.claims if self._holds(position)]:
            del self._store.claims[position]

    def _holds(self, position: int) -> bool:
        return self._store.claims.get(position) is self._claim


class MemorySalesLedger:
    """`SalesLedger` that keeps what is added until its transaction is committed."""

    def __init__(self) -> None:
        self._added: list[DailySales] = []

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to a day's sales; negative numbers take off."""
        self._added.append(DailySales(day=day, currency=currency, orders=orders, revenue_minor=revenue_minor))

    def write(self, state: MemoryState) -> None:
        """Add everything to the state."""
        for each in self._added:
            key = (each.day, each.currency)
            there = state.sales.get(key, DailySales(day=each.day, currency=each.currency, orders=0, revenue_minor=0))
            state.sales[key] = DailySales(
                day=each.day,
                currency=each.currency,
                orders=there.orders + each.orders,
                revenue_minor=there.revenue_minor + each.revenue_minor,
            )


class MemoryInbox:
    """What one consumer has seen, in a `MemoryStore`."""

    def __init__(self, store: MemoryStore, consumer: str) -> None:
        self._store = store
        self._consumer = consumer

    @asynccontextmanager
    async def enter(self, message: Message) -> AsyncGenerator[InboxEntry]:
        """Begin a transaction with a message in it; it is rolled back unless `handled` is called."""
        key = (self._consumer, message.id)
        async with self._store.entered.setdefault(key, asyncio.Lock()):
            yield MemoryInboxEntry(self._store, key, self._row(message))

    async def count_failure(self, message: Message, error: str) -> int:
        """Note that handling a message failed, and give how often it has."""
        row = self._row(message)
        with self._store.writing() as state:
            state.inbox[self._consumer, message.id] = replace(row, attempts=row.attempts + 1, last_error=error)
        return row.attempts + 1

    async def give_up(self, message: Message) -> None:
        """Put a message, whose failure was counted, with the dead letters."""
        row = self._row(message)
        if row.handled_at is None:
            with self._store.writing() as state:
                state.inbox[self._consumer, message.id] = replace(row, dead_at=datetime.now(UTC))

    def _row(self, message: Message) -> InboxRow:
        return self._store.state.inbox.get((self._consumer, message.id), InboxRow(message.event_type))


class MemoryInboxEntry:
    """A message that nobody else enters meanwhile."""

    def __init__(self, store: MemoryStore, key: InboxKey, row: InboxRow) -> None:
        self._store = store
        self._key = key
        self._row = row
        self.is_settled = row.is_settled
        self.sales = MemorySalesLedger()

    async def handled(self) -> None:
        """Note that it was handled, and commit that with its effects."""
        with self._store.writing() as state:
            state.inbox[self._key] = replace(self._row, handled_at=datetime.now(UTC))
            self.sales.write(state)
