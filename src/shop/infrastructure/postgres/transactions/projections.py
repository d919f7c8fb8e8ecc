"""`Projections` over PostgreSQL."""

from __future__ import annotations

from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.queries import Queries
from shop_db import projections


class PostgresProjections:
    """The table `daily_sales`."""

    def __init__(self, conn: Connection, queries: Queries) -> None:
        self._conn = conn
        self._query = queries

    async def rebuild_sales(self) -> int:
        """Rebuild the daily sales from the audit log, and return the number of rows."""
        await self._query(projections.lift_statement_timeout)
        with self._conn.waiting(None):
            await self._query(projections.lock_sales)
            await self._query(projections.clear_daily_sales)
            return await self._query(projections.rebuild_daily_sales)
