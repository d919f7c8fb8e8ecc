"""`Erasures` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from shop.domain.values import UserId
from shop.infrastructure.postgres.queries import Queries
from shop_db import users


class PostgresErasures:
    """The table `erasures`, into which triggers of the table `users` write."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def due(self) -> Sequence[UserId]:
        """Return those who were erased so long ago that no request of before is in flight, oldest first, unless they are finished."""
        return [UserId(each) for each in await self._query(users.get_due_erasures)]

    async def finish(self, user_id: UserId) -> bool:
        """Erase the traces of one of them once more, which is the end of it, and return whether it was due."""
        return await self._query(users.finish_erasure, id=user_id)
