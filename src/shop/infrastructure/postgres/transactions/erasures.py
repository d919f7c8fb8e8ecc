"""`Erasures` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shop.application.commands.pruning import DueErasure, Erased
from shop.domain.values import UserId
from shop.infrastructure.postgres.queries import Queries
from shop_db import users


class PostgresErasures:
    """The table `erasures`, into which triggers of the table `users` write."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def due(self, after: DueErasure | None, at_most: int) -> Sequence[DueErasure]:
        """Return the erasures that are due, oldest first, after this one."""
        rows = await self._query(
            users.get_due_erasures,
            after_erased_at=None if after is None else after.erased_at,
            after_id=None if after is None else after.user_id,
            at_most=at_most,
        )
        return [DueErasure(UserId(row.user_id), row.erased_at) for row in rows]

    async def is_due(self, user_id: UserId) -> bool:
        """Return whether the erasure of a user is due."""
        return await self._query(users.is_erasure_due, id=user_id) or False

    async def erase(self, user_id: UserId, at_most: int) -> Erased:
        """Erase the next traces of a user whose erasure is due, of at most this number of traces."""
        match await self._query(users.erase_traces, id=user_id, at_most=at_most):
            case None:
                return Erased.NOTHING
            case is_all:
                return Erased.ALL if is_all else Erased.SOME

    async def forget(self, before: datetime, at_most: int) -> int:
        """Forget the addresses of users who were erased before this time, oldest first, and return of how many."""
        return await self._query(users.forget_erased_logins, before=before, at_most=at_most) or 0
