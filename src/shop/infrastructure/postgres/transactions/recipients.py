"""`Recipients` over PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from shop.application.messaging.notifications import Recipient
from shop.domain.values import EmailAddress, UserId
from shop.infrastructure.postgres.queries import Queries
from shop_db import users


class PostgresRecipients:
    """The table `users`, on the connection of an inbox entry."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def of_recent(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> Recipient | None:
        """Return how to write to a user about something that occurred at this time, None if it is older, or the user deleted or erased."""
        row = await self._query(users.get_recipient, id=user_id, occurred_at=occurred_at, within=within)
        return None if row is None else Recipient(row.first_name, EmailAddress(row.email))

    async def of_former_address(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> Recipient | None:
        """Return how to write to a user at the address that an update replaced at this time, None if it replaced none, or as above."""
        row = await self._query(users.get_former_recipient, id=user_id, occurred_at=occurred_at, within=within)
        return None if row is None else Recipient(row.first_name, EmailAddress(row.address))
