"""`PendingMessages` over PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg import AsyncConnection

from shop.application.messaging.broker import Place
from shop.application.messaging.messages import Message
from shop.application.messaging.relay import ClaimedBatch, PendingMessage
from shop.infrastructure.postgres.errors import storable, translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import outbox

P = ParamSpec("P")
T = TypeVar("T")


class PostgresPendingMessages:
    """The unpublished rows of the table `outbox`, marked as claimed while they are published.

    Each statement is its own transaction, and none is open while waiting for the broker: a frozen relay holds neither a lock nor a
    connection that others need, and its claim ends by the database's clock.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def claim(self, most: int, lease: float) -> AsyncGenerator[ClaimedBatch]:
        """Claim the next messages until the end of the block, for at most `lease` seconds."""
        claim = uuid.uuid4()
        rows = await _run(self._pool, outbox.claim_outbox_batch, claim=claim, lease=timedelta(seconds=lease), batch_size=most)
        batch = PostgresClaimedBatch(self._pool, claim, sorted(map(_pending_from, rows), key=lambda each: each.position))
        try:
            yield batch
        finally:
            if batch.open:
                await _run(self._pool, outbox.release_claim, claim=claim, positions=list(batch.open))


class PostgresClaimedBatch:
    """The messages whose rows carry the claim."""

    def __init__(self, pool: Pool, claim: uuid.UUID, messages: Sequence[PendingMessage]) -> None:
        self.messages = messages
        self.open = {each.position for each in messages}
        self._pool = pool
        self._claim = claim

    async def published(self, places: Mapping[int, Place]) -> None:
        """Record the places of published messages, by their positions."""
        await _run(
            self._pool,
            outbox.mark_published,
            claim=self._claim,
            positions=list(places),
            streams=[place.stream for place in places.values()],
            sequences=[place.sequence for place in places.values()],
        )
        self.open -= places.keys()

    async def refused(self, position: int, error: str, retry_after: float, *, is_final: bool) -> None:
        """Record that the broker refused a message: it is retried after a while, or if final, a dead letter."""
        wait = timedelta(seconds=retry_after)
        await _run(
            self._pool,
            outbox.mark_refused,
            claim=self._claim,
            position=position,
            error=storable(error),
            retry_after=wait,
            give_up=is_final,
        )
        self.open.discard(position)


async def _run(pool: Pool, query: Callable[Concatenate[AsyncConnection[Any], P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    with translated():
        async with pool.connection() as conn:
            return await Queries(conn)(query, *args, **kwargs)


def _pending_from(row: outbox.ClaimOutboxBatchRow) -> PendingMessage:
    message = Message(
        id=row.message_id,
        aggregate=row.aggregate,
        event_type=row.event_type,
        version=row.event_version,
        payload=row.payload,
        trace_id=row.trace_id,
        traceparent=row.traceparent,
        occurred_at=row.occurred_at,
    )
    return PendingMessage(row.position, row.attempts, message)
