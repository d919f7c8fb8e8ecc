"""The outbox in memory: what writes it, what prunes it and the inbox, and what tells of dead letters."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from shop.application.messages import Message, encode
from shop.application.read_models import DeadMessage
from shop.domain.events import Event, aggregate_of
from shop.infrastructure.memory.state import InboxRow, MemoryTransaction, OutboxRow


class MemoryOutbox:
    """`EventOutbox` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, event: Event, trace_id: str) -> None:
        """Keep an event."""
        state, now, encoded = self._transaction.state, self._transaction.tick(), encode(event)
        message = Message(
            id=uuid.uuid4(),
            aggregate=aggregate_of(event),
            event_type=encoded.event_type,
            payload=encoded.payload,
            trace_id=trace_id,
            occurred_at=now,
        )
        state.last_position += 1
        state.outbox[state.last_position] = OutboxRow(state.last_position, message, due_at=now)


class MemorySettledMessages:
    """`SettledMessages` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove what was published before then, oldest first, and give how many."""
        rows = self._transaction.state.outbox
        old = sorted((row.published_at, position) for position, row in rows.items() if row.published_at and row.published_at < before)
        for _, position in old[:at_most]:
            del rows[position]
        return len(old[:at_most])

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove what consumers handled before then, and cannot be delivered again, oldest first, and give how many."""
        state = self._transaction.state
        held = {row.message.id for row in state.outbox.values() if row.published_at is None or row.published_at >= before}
        old = sorted((row.handled_at, key) for key, row in state.inbox.items() if row.handled_at and row.handled_at < before)
        gone = [key for _, key in old if key[1] not in held][:at_most]
        for key in gone:
            del state.inbox[key]
        return len(gone)


class MemoryDeadLetters:
    """`DeadLetters` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def newest(self, at_most: int) -> Sequence[DeadMessage]:
        """List them, newest first."""
        state = self._transaction.state
        rows: list[tuple[str, uuid.UUID, str, OutboxRow | InboxRow]] = [
            *(("relay", row.message.id, row.message.event_type, row) for row in state.outbox.values()),
            *((consumer, message_id, row.event_type, row) for (consumer, message_id), row in state.inbox.items()),
        ]
        dead = [
            DeadMessage(
                consumer=consumer,
                message_id=message_id,
                event_type=event_type,
                attempts=row.attempts,
                last_error=row.last_error,
                dead_at=row.dead_at,
            )
            for consumer, message_id, event_type, row in rows
            if row.dead_at is not None
        ]
        return sorted(dead, key=lambda each: each.dead_at, reverse=True)[:at_most]
