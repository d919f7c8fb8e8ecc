"""Outbox, settled messages, projections and dead letters in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from shop.application.messaging.messages import Message, encode
from shop.application.reads.models import DailySales, DeadLetter
from shop.application.transactions.audit import AuditOutcome
from shop.domain.events import Event, aggregate_of

from .state import InboxRow, MemoryTransaction, OutboxRow


class MemoryOutbox:
    """`Outbox` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, event: Event, trace_id: str) -> None:
        """Store an event."""
        state, now, encoded = self._transaction.state, self._transaction.tick(), encode(event)
        message = Message(
            id=uuid.uuid4(),
            aggregate=aggregate_of(event),
            event_type=encoded.event_type,
            version=encoded.version,
            payload=encoded.payload,
            trace_id=trace_id,
            occurred_at=now,
        )
        state.last_position += 1
        state.outbox[state.last_position] = OutboxRow(state.last_position, message, due_at=now)


class MemorySettledMessages:
    """`PrunableMessages` and `RepublishableMessages` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def now(self) -> datetime:
        """Return the time."""
        return self._transaction.tick()

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove messages published before this time, oldest first, and return how many."""
        rows = self._transaction.state.outbox
        old = sorted((row.published_at, position) for position, row in rows.items() if row.published_at and row.published_at < before)
        for _, position in old[:at_most]:
            del rows[position]
        return len(old[:at_most])

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove messages handled before this time that are no longer in the outbox, oldest first, and return how many."""
        state = self._transaction.state
        held = {row.message.id for row in state.outbox.values()}
        old = sorted((row.handled_at, key) for key, row in state.inbox.items() if row.handled_at and row.handled_at < before)
        gone = [key for _, key in old if key[1] not in held][:at_most]
        for key in gone:
            del state.inbox[key]
        return len(gone)

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Make the first published messages and dead letters in this range of positions pending again, and return their positions."""
        rows = self._transaction.state.outbox
        chosen = [position for position, row in sorted(rows.items()) if first <= position <= last and not row.is_pending][:at_most]
        for position in chosen:
            rows[position] = OutboxRow(position, rows[position].message, due_at=self._transaction.tick())
        return chosen


class MemoryProjections:
    """`Projections` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def rebuild_sales(self) -> int:
        """Rebuild the daily sales from the audit log, and return the number of rows."""
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
            known_sales = state.sales.get(key, DailySales(day=key[0], currency=key[1], orders=0, revenue_minor=0))
            state.sales[key] = DailySales(
                day=key[0],
                currency=key[1],
                orders=known_sales.orders + sign,
                revenue_minor=known_sales.revenue_minor + sign * order.total.minor,
            )
        for row in state.outbox.values():
            key_of_inbox = ("sales", row.message.id)
            known = state.inbox.get(key_of_inbox, InboxRow(row.message.event_type))
            if row.message.event_type in {"OrderPaid", "OrderCancelled"} and known.handled_at is None:
                state.inbox[key_of_inbox] = replace(known, handled_at=now, dead_at=None)
        return len(state.sales)


class MemoryDeadLetterReadRepository:
    """`DeadLetterReadRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def newest(self, at_most: int) -> Sequence[DeadLetter]:
        """Return dead letters, newest first."""
        state = self._transaction.state
        rows: list[tuple[str, uuid.UUID, str, OutboxRow | InboxRow]] = [
            *(("relay", row.message.id, row.message.event_type, row) for row in state.outbox.values()),
            *((consumer, message_id, row.event_type, row) for (consumer, message_id), row in state.inbox.items()),
        ]
        dead = [
            DeadLetter(
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
