"""`Erasures` over PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from shop.infrastructure.postgres.queries import Queries
from shop_db import users


class PostgresErasures:
    """The table `erasures`, into which triggers of the table `users` write."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def finish(self, before: datetime, at_most: int) -> int:
        """Erase once more the traces of those who were erased before this time, which is the end of it, and return how many."""
        return await self._query(users.finish_erasures, before=before, at_most=at_most)
