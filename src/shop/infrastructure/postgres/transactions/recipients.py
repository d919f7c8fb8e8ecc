"""`Recipients` over PostgreSQL."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

from shop.application.messaging.notifications import Counted, Notice
from shop.domain.values import EmailAddress, UserId
from shop.infrastructure.postgres.queries import Queries
from shop_db import notices, users

# More than one notice adds, so the table holds little more than the notices of a day.
_REMOVED_AT_ONCE = 10


class PostgresRecipients:
    """The tables of users and of notices, on the connection of an inbox entry."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def of_recent(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user to whom something occurred at this time, None if it is older, or the user deleted or erased."""
        row = await self._query(users.get_recipient, id=user_id, occurred_at=occurred_at, within=within)
        return None if row is None else EmailAddress(row)

    async def of_former_address(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user that an update replaced at this time, None if it replaced none, or as above."""
        row = await self._query(users.get_former_recipient, id=user_id, occurred_at=occurred_at, within=within)
        return None if row is None else EmailAddress(row)

    async def count(self, address: EmailAddress, notice: Notice, message_id: uuid.UUID) -> Counted:
        """Count the notice of a message to an address, unless it is counted, or as many others are as are allowed in a day."""
        recipient = _recipient(address, notice)
        was_counted = await self._query(notices.count_notice, recipient=recipient, message_id=message_id, at_most=notice.a_day)
        # After the count, whose row is locked now: rows locked by other transactions are skipped, so there is no deadlock.
        await self._query(notices.remove_old_notices, at_most=_REMOVED_AT_ONCE)
        if was_counted is None:
            # By a statement of its own: what the first one sees is older than the lock for which it may have waited.
            return Counted.NOT_YET if await self._query(notices.has_unsettled_notice, recipient=recipient) else Counted.REFUSED
        return Counted.BEFORE if was_counted else Counted.NOW

    async def take_back(self, address: EmailAddress, notice: Notice, message_id: uuid.UUID) -> None:
        """Take back the count of a notice that was certainly not sent."""
        await self._query(notices.take_back_notice, recipient=_recipient(address, notice), message_id=message_id)


def _recipient(address: EmailAddress, notice: Notice) -> str:
    return f"{notice.name}:{hashlib.sha256(address.text.lower().encode()).hexdigest()}"
