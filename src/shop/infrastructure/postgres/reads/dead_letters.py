"""`DeadLetterReadRepository` over PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from shop.application.messaging.messages import Message
from shop.application.reads.dead_letters import RELAY
from shop.application.reads.models import DeadLetter, DeadMessage
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox


class PostgresDeadLetterReadRepository:
    """Reads the tables `inbox` and `outbox`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def newest(self, at_most: int) -> Sequence[DeadLetter]:
        """Return dead letters, newest first."""
        rows = await self._query(inbox.list_dead_messages, at_most=at_most)
        return [
            DeadLetter(
                consumer=row.consumer,
                message_id=row.message_id,
                event_type=row.event_type,
                attempts=row.attempts,
                last_error=row.last_error or "",
                dead_at=row.dead_at,
            )
            for row in rows
        ]

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
