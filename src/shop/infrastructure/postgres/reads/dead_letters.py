"""`DeadLetterReadRepository` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from shop.application.reads.models import DeadLetter
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox


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
