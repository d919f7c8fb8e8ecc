"""`DeadLetterReadRepository` over PostgreSQL."""

from __future__ import annotations

import uuid

from shop.application.messaging.messages import Message
from shop.application.reads.dead_letters import RELAY, DeadLetterKey, DeadLetterPage
from shop.application.reads.models import DeadLetter, DeadMessage
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox


class PostgresDeadLetterReadRepository:
    """Reads the tables `inbox` and `outbox`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def page(self, size: int, after: DeadLetterKey | None = None) -> DeadLetterPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one dead letter, not {size}")
        rows = await self._query(
            inbox.list_dead_messages,
            after_dead_at=None if after is None else after.dead_at,
            after_consumer=None if after is None else after.consumer,
            after_message_id=None if after is None else after.message_id,
            page_size=size + 1,
        )
        letters = tuple(
            DeadLetter(
                consumer=row.consumer,
                message_id=row.message_id,
                event_type=row.event_type,
                attempts=row.attempts,
                last_error=row.last_error or "",
                dead_at=row.dead_at,
            )
            for row in rows[:size]
        )
        if len(rows) <= size:
            return DeadLetterPage(letters, following=None)
        last = letters[-1]
        return DeadLetterPage(letters, following=DeadLetterKey(last.dead_at, last.consumer, last.message_id))

    async def get(self, consumer: str, message_id: uuid.UUID) -> DeadMessage | None:
        """Return a dead letter with its message."""
        if consumer == RELAY:
            event = await self._query(outbox.get_dead_event, message_id=message_id)
            return None if event is None else _unpublished(message_id, event)
        row = await self._query(inbox.get_dead_message, consumer=consumer, message_id=message_id)
        if row is None:
            return None
        return DeadMessage(
            consumer=consumer,
            message_id=message_id,
            event_type=row.event_type,
            attempts=row.attempts,
            last_error=row.last_error or "",
            dead_at=row.dead_at,
            message=row.dead_message,
        )


def _unpublished(message_id: uuid.UUID, row: outbox.GetDeadEventRow) -> DeadMessage:
    message = Message(
        id=message_id,
        aggregate=row.aggregate,
        event_type=row.event_type,
        version=row.event_version,
        payload=row.payload,
        trace_id=row.trace_id,
        occurred_at=row.occurred_at,
    )
    return DeadMessage(
        consumer=RELAY,
        message_id=message_id,
        event_type=row.event_type,
        attempts=row.attempts,
        last_error=row.last_error or "",
        dead_at=row.dead_at,
        message=message.model_dump(mode="json"),
    )
