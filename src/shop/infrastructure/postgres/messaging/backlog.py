"""`MeasurableStore` over PostgreSQL."""

from __future__ import annotations

from shop.application.messaging.backlog import ErasureBacklog, OutboxBacklog, StoreBacklog
from shop.application.reads.dead_letters import RELAY
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox, users


class PostgresBacklog:
    """The tables `outbox`, `inbox` and `erasures`. Counts of the outbox and of erasures stop at 10,001."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def measure(self) -> StoreBacklog:
        """Return what is waiting."""
        with translated():
            async with self._pool.connection() as conn:
                query = Queries(conn)
                measured = await query(outbox.measure_outbox)
                erasures = await query(users.measure_erasures)
                dead = {row.consumer: row.dead for row in await query(inbox.count_dead_messages)}
        return StoreBacklog(
            OutboxBacklog(measured.waiting, measured.lag_seconds or 0.0, {RELAY: measured.dead, **dead}),
            ErasureBacklog(erasures.due, erasures.seconds or 0.0),
        )
