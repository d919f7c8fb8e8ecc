"""`Outbox` over PostgreSQL."""

from __future__ import annotations

from shop.application.messaging.messages import encode
from shop.domain.events import Event, aggregate_of
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.telemetry import current_traceparent
from shop_db import outbox


class PostgresOutbox:
    """The table `outbox`, as a transaction writes to it."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def add(self, event: Event, trace_id: str) -> None:
        """Store an event."""
        encoded = encode(event)
        await self._query(
            outbox.add_to_outbox,
            aggregate=aggregate_of(event),
            event_type=encoded.event_type,
            event_version=encoded.version,
            payload=encoded.payload,
            trace_id=trace_id,
            traceparent=current_traceparent(),
        )
