"""Outbox, settled messages, projections and dead letters in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import JsonValue

from shop.application.messaging.messages import Message, encode
from shop.application.reads.dead_letters import DeadLetterKey, DeadLetterPage
from shop.application.reads.models import DailySales, DeadLetter, DeadMessage
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

    async def page(self, size: int, after: DeadLetterKey | None = None) -> DeadLetterPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one dead letter, not {size}")
        letters = [each for each in self._newest() if after is None or _key(each) < _key(after)]
        last = letters[size - 1] if len(letters) > size else None
        return DeadLetterPage(tuple(letters[:size]), None if last is None else DeadLetterKey(*_key(last)))

    def _newest(self) -> list[DeadLetter]:
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
        return sorted(dead, key=_key, reverse=True)

    async def get(self, consumer: str, message_id: uuid.UUID) -> DeadMessage | None:
        """Return a dead letter with its message."""
        state = self._transaction.state
        messages = {("relay", row.message.id): row.message for row in state.outbox.values()}
        messages |= {key: row.dead_message for key, row in state.inbox.items() if row.dead_message is not None}
        for letter in self._newest():
            if (letter.consumer, letter.message_id) == (consumer, message_id):
                return DeadMessage(**letter.model_dump(), message=messages[consumer, message_id].model_dump(mode="json"))
        return None


def _key(of: DeadLetter | DeadLetterKey) -> tuple[datetime, str, uuid.UUID]:
    return of.dead_at, of.consumer, of.message_id


class MemoryDeadLetters:
    """`DeadLetterRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def lock(self, consumer: str, message_id: uuid.UUID) -> JsonValue:
        """Lock a dead letter of a consumer and return its message, None if there is none."""
        row = self._transaction.state.inbox.get((consumer, message_id))
        if row is None or row.dead_message is None:
            return None
        content: JsonValue = row.dead_message.model_dump(mode="json")
        return content

    async def settle(self, consumer: str, message_id: uuid.UUID) -> bool:
        """Make a dead letter of a consumer a handled message, and return whether there was one."""
        rows, key = self._transaction.state.inbox, (consumer, message_id)
        if key not in rows or rows[key].dead_at is None:
            return False
        rows[key] = replace(rows[key], handled_at=self._transaction.tick(), dead_at=None, dead_message=None)
        return True

    async def revive(self, message_id: uuid.UUID) -> bool:
        """Make a dead letter of the relay pending again, and return whether there was one."""
        position = self._dead_position(message_id)
        rows = self._transaction.state.outbox
        if position is not None:
            rows[position] = OutboxRow(position, rows[position].message, due_at=self._transaction.tick())
        return position is not None

    async def discard(self, message_id: uuid.UUID) -> bool:
        """Remove a dead letter of the relay, and return whether there was one."""
        return self._transaction.state.outbox.pop(self._dead_position(message_id) or 0, None) is not None

    def _dead_position(self, message_id: uuid.UUID) -> int | None:
        rows = self._transaction.state.outbox.values()
        return next((row.position for row in rows if row.message.id == message_id and row.dead_at is not None), None)
