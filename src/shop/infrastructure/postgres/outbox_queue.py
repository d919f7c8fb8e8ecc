"""`OutboxQueue` over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from shop.application.messages import Message
from shop.application.relay import ClaimedBatch, Waiting
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import outbox


class PostgresOutboxQueue:
    """Rows of the table `outbox`, locked in a transaction while they are published.

    A relay that dies lets go of its locks, and what it had not noted as published is claimed by the next.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def claim(self, most: int) -> AsyncGenerator[ClaimedBatch]:
        """Claim the next messages for the length of the block."""
        with translated():
            async with self._pool.connection() as conn, conn.transaction():
                queries = Queries(conn)
                rows = await queries(outbox.claim_outbox_batch, batch_size=most)
                yield PostgresClaimedBatch(queries, [_waiting_from(row) for row in rows])


class PostgresClaimedBatch:
    """Messages whose rows are locked."""

    def __init__(self, queries: Queries, waiting: Sequence[Waiting]) -> None:
        self._query = queries
        self.waiting = waiting

    async def published(self, positions: Sequence[int]) -> None:
        """Note that the broker has stored these."""
        await self._query(outbox.mark_published, positions=list(positions))

    async def refused(self, position: int, error: str, retry_after: float, *, give_up: bool) -> None:
        """Note that the broker refused one."""
        await self._query(outbox.mark_refused, position=position, error=error, retry_after=timedelta(seconds=retry_after), give_up=give_up)


def _waiting_from(row: outbox.ClaimOutboxBatchRow) -> Waiting:
    message = Message(
        id=row.message_id,
        aggregate=row.aggregate,
        event_type=row.event_type,
        payload=row.payload,
        trace_id=row.trace_id,
        occurred_at=row.occurred_at,
    )
    return Waiting(row.position, row.attempts, message)
