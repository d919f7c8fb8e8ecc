"""`SettledMessages`, `Projections` and `DeadLetters` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shop.application.read_models import DeadMessage
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox, projections


class PostgresSettledMessages:
    """Rows of `outbox` and `inbox` that nobody needs any more, until they are published again."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def now(self) -> datetime:
        """Return the time of the database."""
        return await self._query(outbox.get_time)

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove what was published before then, oldest first, and give how many."""
        return await self._query(outbox.prune_outbox, before=before, at_most=at_most)

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove what consumers handled before then, and cannot be delivered again, oldest first, and give how many."""
        return await self._query(inbox.prune_inbox, before=before, at_most=at_most)

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Have the first messages in this range of positions wait again that were published or given up, and return their positions."""
        return await self._query(outbox.republish_outbox, first_position=first, last_position=last, at_most=at_most)


class PostgresProjections:
    """The table `daily_sales`."""

    def __init__(self, conn: Connection, queries: Queries) -> None:
        self._conn = conn
        self._query = queries

    async def rebuild_sales(self) -> int:
        """Sum up the daily sales from the audit log, and return how many rows they are."""
        await self._query(projections.lift_statement_timeout)
        with self._conn.waiting(None):
            await self._query(projections.lock_sales)
            await self._query(projections.clear_daily_sales)
            return await self._query(projections.rebuild_daily_sales)


class PostgresDeadLetters:
    """Rows of both tables that were given up."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def newest(self, at_most: int) -> Sequence[DeadMessage]:
        """List them, newest first."""
        rows = await self._query(inbox.list_dead_messages, at_most=at_most)
        return [
            DeadMessage(
                consumer=row.consumer,
                message_id=row.message_id,
                event_type=row.event_type,
                attempts=row.attempts,
                last_error=row.last_error or "",
                dead_at=row.dead_at,
            )
            for row in rows
        ]
