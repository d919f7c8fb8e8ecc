"""`Recipients` over PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from shop.application.messaging.notifications import Recipient
from shop.domain.values import EmailAddress, UserId
from shop.infrastructure.postgres.queries import Queries
from shop_db import users

# A consumer that is started for the first time receives all events of the stream.
_WORTH_KNOWING = timedelta(days=1)


class PostgresRecipients:
    """The table `users`, on the connection of an inbox entry."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def of_recent(self, user_id: UserId, occurred_at: datetime) -> Recipient | None:
        """Return how to write to a user about something that occurred at this time, None if it is too old, or the user is deleted."""
        row = await self._query(users.get_recipient, id=user_id, occurred_at=occurred_at, within=_WORTH_KNOWING)
        return None if row is None else Recipient(row.first_name, EmailAddress(row.email))

    async def of_former_address(self, user_id: UserId, occurred_at: datetime) -> Recipient | None:
        """Return how to write to a user at the address that an update replaced at this time, None if it replaced none, or as above."""
        row = await self._query(users.get_former_recipient, id=user_id, occurred_at=occurred_at, within=_WORTH_KNOWING)
        return None if row is None else Recipient(row.first_name, EmailAddress(row.address))
