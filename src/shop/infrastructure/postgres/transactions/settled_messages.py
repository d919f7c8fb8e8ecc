"""`PrunableMessages` and `RepublishableMessages` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox


class PostgresSettledMessages:
    """Published, handled and dead messages in the tables `outbox` and `inbox`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def now(self) -> datetime:
        """Return the time of the database."""
        return await self._query(outbox.get_time)

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove messages published before this time, oldest first, and return how many."""
        return await self._query(outbox.prune_outbox, before=before, at_most=at_most)

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove messages handled before this time that are no longer in the outbox, oldest first, and return how many."""
        return await self._query(inbox.prune_inbox, before=before, at_most=at_most)

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Make the first published messages and dead letters in this range of positions pending again, and return their positions."""
        return await self._query(outbox.republish_outbox, first_position=first, last_position=last, at_most=at_most)
