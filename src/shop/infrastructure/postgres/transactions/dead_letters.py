"""`DeadLetterRepository` over PostgreSQL."""

from __future__ import annotations

import uuid

from pydantic import JsonValue

from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox, outbox


class PostgresDeadLetterRepository:
    """The dead letters in the tables `inbox` and `outbox`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def lock(self, consumer: str, message_id: uuid.UUID) -> JsonValue:
        """Lock a dead letter of a consumer and return its message, None if there is none."""
        content: JsonValue = await self._query(inbox.lock_dead_message, consumer=consumer, message_id=message_id)
        return content

    async def settle(self, consumer: str, message_id: uuid.UUID) -> bool:
        """Make a dead letter of a consumer a handled message, and return whether there was one."""
        return await self._query(inbox.settle_dead_message, consumer=consumer, message_id=message_id) > 0

    async def revive(self, message_id: uuid.UUID) -> bool:
        """Make a dead letter of the relay pending again, and return whether there was one."""
        return await self._query(outbox.revive_dead_event, message_id=message_id) > 0

    async def discard(self, message_id: uuid.UUID) -> bool:
        """Remove a dead letter of the relay, and return whether there was one."""
        return await self._query(outbox.discard_dead_event, message_id=message_id) > 0
