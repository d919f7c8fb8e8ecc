"""The outbox in memory: what writes it, what prunes it and the inbox, what is built anew, and what tells of dead letters."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from shop.application.messages import Message, encode
from shop.application.read_models import AuditOutcome, DailySales, DeadMessage
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

    async def now(self) -> datetime:
        """Return the time."""
        return self._transaction.tick()

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
        held = {row.message.id for row in state.outbox.values()}
        old = sorted((row.handled_at, key) for key, row in state.inbox.items() if row.handled_at and row.handled_at < before)
        gone = [key for _, key in old if key[1] not in held][:at_most]
        for key in gone:
            del state.inbox[key]
        return len(gone)

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Have the first messages in this range of positions wait again that were published or given up, and return their positions."""
        rows = self._transaction.state.outbox
        chosen = [position for position, row in sorted(rows.items()) if first <= position <= last and not row.waits][:at_most]
        for position in chosen:
            rows[position] = OutboxRow(position, rows[position].message, due_at=self._transaction.tick())
        return chosen


class MemoryProjections:
    """`Projections` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def rebuild_sales(self) -> int:
        """Sum up the daily sales from the audit log, and return how many rows they are."""
        state, now = self._transaction.state, self._transaction.tick()
        orders = {f"order:{order.id}": order for order in state.orders.values()}
        state.sales.clear()
        for at, entry in state.audit:
            order = orders.get(entry.subject)
            is_refund = entry.action == "order.cancel" and entry.metadata.get("before") == "paid"
            if order is None or entry.outcome is not AuditOutcome.DONE or not (entry.action == "order.pay" or is_refund):
                continue
            sign = -1 if is_refund else 1
            key = (at.astimezone(UTC).date(), order.total.currency)
            there = state.sales.get(key, DailySales(day=key[0], currency=key[1], orders=0, revenue_minor=0))
            state.sales[key] = DailySales(
                day=key[0], currency=key[1], orders=there.orders + sign, revenue_minor=there.revenue_minor + sign * order.total.minor
            )
        for row in state.outbox.values():
            key_of_inbox = ("sales", row.message.id)
            known = state.inbox.get(key_of_inbox, InboxRow(row.message.event_type))
            if row.message.event_type in {"OrderPaid", "OrderCancelled"} and known.handled_at is None:
                state.inbox[key_of_inbox] = replace(known, handled_at=now, dead_at=None)
        return len(state.sales)


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
