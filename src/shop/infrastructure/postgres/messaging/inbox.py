"""`Inbox` and `ClaimableInbox` over PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from psycopg.errors import DataError, ProgramLimitExceeded, QueryCanceled, StatementTooComplex

from shop.application.messaging.claiming_consumer import Claim
from shop.application.messaging.idempotent_consumer import InboxEntry
from shop.application.messaging.messages import Message
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import commit, storable, translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox

F = TypeVar("F")

_log = logging.getLogger("shop.consumer")

_UNSEARCHABLE: Final = (DataError, ProgramLimitExceeded, QueryCanceled, StatementTooComplex)
"""What the search for addresses in a dead letter may end with: its sender may know a content for which it takes too long."""


class PostgresInbox(Generic[F]):
    """The rows of one consumer in the table `inbox`. `effects` creates the effects of its handler on the connection of an entry."""

    def __init__(self, pool: Pool, consumer: str, effects: Callable[[Queries], F]) -> None:
        self._pool = pool
        self._consumer = consumer
        self._effects = effects

    @asynccontextmanager
    async def enter(self, message: Message) -> AsyncGenerator[InboxEntry[F]]:
        """Begin a transaction and lock the message in it; it is rolled back unless `handled` is called."""
        async with self._transaction() as (conn, queries):
            entered = await queries(inbox.enter_inbox, consumer=self._consumer, message_id=message.id, event_type=message.event_type)
            yield PostgresInboxEntry(conn, self._effects(queries), is_settled=not entered)

    @asynccontextmanager
    async def claim(self, message: Message, lease: timedelta) -> AsyncGenerator[Claim[F]]:
        """Begin a transaction and claim the message in it; it is rolled back unless `keep` or `handled` is called."""
        async with self._transaction() as (conn, queries):
            until = await queries(
                inbox.claim_inbox, consumer=self._consumer, message_id=message.id, event_type=message.event_type, lease=lease
            )
            is_settled = until is None and await queries(inbox.is_settled, consumer=self._consumer, message_id=message.id) is True

            async def handle() -> None:
                await queries(inbox.enter_inbox, consumer=self._consumer, message_id=message.id, event_type=message.event_type)

            yield PostgresClaim(conn, self._effects(queries), handle, until=until, is_settled=is_settled)

    @asynccontextmanager
    async def release(self, message: Message, until: datetime) -> AsyncGenerator[F | None]:
        """Begin a transaction that ends a claim, and commit it at the end of the block, with what is written to the effects, if any."""
        with translated():
            async with self._pool.connection() as conn, conn.transaction():
                queries = Queries(conn)
                released = await queries(inbox.release_inbox, consumer=self._consumer, message_id=message.id, claimed_until=until)
                yield self._effects(queries) if released else None

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[tuple[Connection, Queries]]:
        with translated():
            async with self._pool.connection() as conn:
                queries = Queries(conn)
                was_autocommit = conn.autocommit
                if was_autocommit:
                    # Begins a transaction in the same round trip as the first query.
                    await conn.set_autocommit(False)
                try:
                    yield conn, queries
                finally:
                    queries.close()
                    if not conn.closed:
                        await conn.rollback()
                        if was_autocommit:
                            # Not reached if it is cancelled; so the methods below begin a transaction in either mode.
                            await conn.set_autocommit(True)

    async def count_failure(self, message: Message, error: str) -> int:
        """Record a failure to handle the message, and return the number of its failures."""
        with translated():
            async with self._pool.connection() as conn, conn.transaction():
                count, reason = Queries(conn), storable(error)
                return await count(
                    inbox.count_failure, consumer=self._consumer, message_id=message.id, event_type=message.event_type, error=reason
                )

    async def bury(self, message: Message) -> None:
        """Make a message, whose failure was counted, a dead letter; without its content if that cannot be searched for addresses."""
        with translated():
            try:
                await self._bury(message, error=None)
            except _UNSEARCHABLE as error:
                reason = f"the search for addresses failed: {type(error).__name__}"
                _log.warning("message %s becomes a dead letter without its content: %s", message.id, reason)
                # Otherwise the message would be delivered, and searched, for as long as the broker keeps it.
                empty = {"aggregate": "unreadable", "payload": f"not kept: {reason}", "trace_id": ""}
                await self._bury(message.model_copy(update=empty), error=reason)

    async def _bury(self, message: Message, error: str | None) -> None:
        async with self._pool.connection() as conn, conn.transaction():
            content = message.model_dump(mode="json")
            await Queries(conn)(inbox.give_up, consumer=self._consumer, message_id=message.id, message=content, error=error)


class PostgresInboxEntry(Generic[F]):
    """A locked row of the table `inbox`, which is marked as handled if its transaction is committed."""

    def __init__(self, conn: Connection, effects: F, *, is_settled: bool) -> None:
        self._conn = conn
        self.effects = effects
        self.is_settled = is_settled

    async def handled(self) -> None:
        """Commit that the message was handled, together with the effects."""
        await commit(self._conn)


class PostgresClaim(PostgresInboxEntry[F]):
    """A locked row of the table `inbox`, which is claimed if its transaction is committed."""

    def __init__(
        self, conn: Connection, effects: F, handle: Callable[[], Awaitable[None]], *, until: datetime | None, is_settled: bool
    ) -> None:
        super().__init__(conn, effects, is_settled=is_settled)
        self._handle = handle
        self.until = until

    async def keep(self) -> None:
        """Commit the claim together with the effects."""
        await super().handled()

    async def handled(self) -> None:
        """Commit that the message was handled, together with the effects."""
        await self._handle()
        await super().handled()
