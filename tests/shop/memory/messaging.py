"""`PendingMessages` and `Inbox` in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shop.application.messaging.broker import Place
from shop.application.messaging.idempotent_consumer import InboxEntry
from shop.application.messaging.messages import Message
from shop.application.messaging.relay import ClaimedBatch, PendingMessage
from shop.application.messaging.sales import SalesLedger

from .ledger import MemorySalesLedger
from .state import InboxKey, InboxRow, OutboxRow
from .store import MemoryClaim, MemoryStore


class MemoryPendingMessages:
    """The unpublished messages of a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @asynccontextmanager
    async def claim(self, most: int, lease: float) -> AsyncGenerator[ClaimedBatch]:
        """Claim the next messages until the end of the block, for at most `lease` seconds."""
        store, now = self._store, datetime.now(UTC)
        first: dict[str, OutboxRow] = {}
        for row in store.state.outbox.values():
            if row.is_pending:
                first.setdefault(row.message.aggregate, row)
        free = [row for row in first.values() if row.due_at <= now and not store.is_claimed(row.position)]
        batch = MemoryClaimedBatch(store, free[:most], time.monotonic() + lease)
        try:
            yield batch
        finally:
            batch.release()


class MemoryClaimedBatch:
    """Messages that no other relay receives until the lease ends."""

    def __init__(self, store: MemoryStore, rows: Sequence[OutboxRow], until: float) -> None:
        self.messages = [PendingMessage(row.position, row.attempts, row.message) for row in rows]
        self._store = store
        self._claim = MemoryClaim(until)
        store.claims |= {row.position: self._claim for row in rows}

    async def published(self, places: Mapping[int, Place]) -> None:
        """Record the places of published messages, by their positions."""
        now = datetime.now(UTC)
        with self._store.writing() as state:
            for position, row in state.outbox.items():
                if row.place in places.values() and position not in places:
                    state.outbox[position] = replace(row, published_at=None, place=None)
            for position, place in places.items():
                if self._holds(position):
                    state.outbox[position] = replace(state.outbox[position], published_at=now, place=place)

    async def refused(self, position: int, error: str, retry_after: float, *, is_final: bool) -> None:
        """Record that the broker refused a message: it is retried after a while, or if final, a dead letter."""
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
                dead_at=now if is_final else None,
            )

    def release(self) -> None:
        """End the claim."""
        for position in [position for position in self._store.claims if self._holds(position)]:
            del self._store.claims[position]

    def _holds(self, position: int) -> bool:
        return self._store.claims.get(position) is self._claim


class MemoryInbox:
    """The inbox of one consumer in a `MemoryStore`. Its effects are those of the handler of sales."""

    def __init__(self, store: MemoryStore, consumer: str) -> None:
        self._store = store
        self._consumer = consumer

    @asynccontextmanager
    async def enter(self, message: Message) -> AsyncGenerator[InboxEntry[SalesLedger]]:
        """Begin a transaction and lock the message in it; it is rolled back unless `handled` is called."""
        key = (self._consumer, message.id)
        async with self._store.entered.setdefault(key, asyncio.Lock()):
            yield MemoryInboxEntry(self._store, key, self._row(message))

    async def count_failure(self, message: Message, error: str) -> int:
        """Record a failure to handle the message, and return the number of its failures."""
        row = self._row(message)
        with self._store.writing() as state:
            state.inbox[self._consumer, message.id] = replace(row, attempts=row.attempts + 1, last_error=error)
        return row.attempts + 1

    async def bury(self, message: Message) -> None:
        """Make a message, whose failure was counted, a dead letter."""
        row = self._row(message)
        if row.handled_at is None:
            with self._store.writing() as state:
                state.inbox[self._consumer, message.id] = replace(row, dead_at=datetime.now(UTC), dead_message=message)

    def _row(self, message: Message) -> InboxRow:
        return self._store.state.inbox.get((self._consumer, message.id), InboxRow(message.event_type))


class MemoryInboxEntry:
    """A locked message."""

    def __init__(self, store: MemoryStore, key: InboxKey, row: InboxRow) -> None:
        self._store = store
        self._key = key
        self._row = row
        self.is_settled = row.is_settled
        self.effects = MemorySalesLedger()

    async def handled(self) -> None:
        """Mark the message as handled, and commit together with the effects."""
        if self.is_settled:
            return
        with self._store.writing() as state:
            state.inbox[self._key] = replace(self._row, handled_at=datetime.now(UTC))
            self.effects.write(state)
