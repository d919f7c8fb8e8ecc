"""`Inbox` over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal

from psycopg import OperationalError

from shop.application.consumer import InboxEntry
from shop.application.messages import Message
from shop.application.unit_of_work import CommitOutcomeUnknown
from shop.domain.money import Currency
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import leaves_outcome_open, translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import inbox
from shop_db.orders import add_to_daily_sales


class PostgresSalesLedger:
    """`SalesLedger` in the table `daily_sales`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to a day's sales; negative numbers take off."""
        await self._query(add_to_daily_sales, day=day, currency=currency, orders=orders, revenue_minor=Decimal(revenue_minor))


class PostgresInbox:
    """Rows of the table `inbox` that belong to one consumer."""

    def __init__(self, pool: Pool, consumer: str) -> None:
        self._pool = pool
        self._consumer = consumer

    @asynccontextmanager
    async def enter(self, message: Message) -> AsyncGenerator[InboxEntry]:
        """Begin a transaction with a message in it; it is rolled back unless `handled` is called."""
        with translated():
            async with self._pool.connection() as conn:
                await conn.execute("BEGIN")
                queries = Queries(conn)
                try:
                    is_settled = await queries(
                        inbox.enter_inbox, consumer=self._consumer, message_id=message.id, event_type=message.event_type
                    )
                    yield PostgresInboxEntry(conn, queries, self._consumer, message, is_settled=is_settled)
                finally:
                    queries.close()
                    if not conn.closed:
                        await conn.rollback()

    async def count_failure(self, message: Message, error: str) -> int:
        """Note that handling a message failed, and give how often it has."""
        with translated():
            async with self._pool.connection() as conn:
                return await Queries(conn)(
                    inbox.count_failure, consumer=self._consumer, message_id=message.id, event_type=message.event_type, error=error
                )

    async def give_up(self, message: Message) -> None:
        """Put a message, whose failure was counted, with the dead letters."""
        with translated():
            async with self._pool.connection() as conn:
                content = message.model_dump(mode="json")
                await Queries(conn)(inbox.give_up, consumer=self._consumer, message_id=message.id, message=content)


class PostgresInboxEntry:
    """A message whose row is locked."""

    def __init__(self, conn: Connection, queries: Queries, consumer: str, message: Message, *, is_settled: bool) -> None:
        self._conn = conn
        self._query = queries
        self._consumer = consumer
        self._message = message
        self.is_settled = is_settled
        self.sales = PostgresSalesLedger(queries)

    async def handled(self) -> None:
        """Note that it was handled, and commit that with its effects."""
        await self._query(inbox.mark_handled, consumer=self._consumer, message_id=self._message.id)
        try:
            await self._conn.commit()
        except OperationalError as error:
            if self._conn.closed or leaves_outcome_open(error):
                raise CommitOutcomeUnknown("the connection broke during the commit") from None
            raise
