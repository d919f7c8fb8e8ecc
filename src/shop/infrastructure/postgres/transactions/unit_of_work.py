"""`UnitOfWork` over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum

from psycopg import sql
from psycopg.pq import TransactionStatus

from shop.application.transactions.failures import StoreDefect, UnitOfWorkClosed
from shop.application.transactions.unit_of_work import BeginUnitOfWork, CollectedEvents, UnitOfWork
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import commit, translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.answers import PostgresAnswers
from shop.infrastructure.postgres.transactions.audit_log import PostgresAuditLog
from shop.infrastructure.postgres.transactions.outbox import PostgresOutbox
from shop.infrastructure.postgres.transactions.repositories import PostgresRepositories


class Isolation(StrEnum):
    """Isolation levels (PostgreSQL manual, 13.2). Writes are guarded by versions, so the first level is sufficient."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


class PostgresUnitOfWork:
    """One transaction on its own connection. Created by `units_of_work`."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._queries = Queries(conn)
        self._is_over = False
        self.events = CollectedEvents()
        self.repositories = PostgresRepositories(conn, self._queries, self.events)
        self.audit = PostgresAuditLog(self._queries)
        self.outbox = PostgresOutbox(self._queries)
        self.answers = PostgresAnswers(self._queries)

    async def commit(self) -> None:
        """Commit the transaction, and close the repositories.

        Raises:
            CommitOutcomeUnknown: the connection broke before the server answered, or the standbys may not have what was committed.
            UnitOfWorkClosed: it was committed already.
            StoreDefect: an error was suppressed before. PostgreSQL has aborted the transaction, and would answer COMMIT with ROLLBACK.
        """
        if self._is_over:
            raise UnitOfWorkClosed("this unit of work was committed already")
        if self._conn.info.transaction_status is TransactionStatus.INERROR:
            raise StoreDefect("a statement failed, so nothing can be committed")
        self._end()
        await commit(self._conn)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo the writes of the block if it raises, and only those. Can be nested."""
        with self.events.savepoint():
            async with self._queries.savepoint():
                yield

    async def leave(self) -> None:
        """Roll back unless it was committed."""
        self._end()
        if not self._conn.closed:
            await self._conn.rollback()

    def _end(self) -> None:
        self._is_over = True
        self._queries.close()


def units_of_work(pool: Pool, isolation: Isolation = Isolation.READ_COMMITTED) -> BeginUnitOfWork[PostgresRepositories]:
    """Return the function that begins transactions on the pool's connections."""
    begin_statement = sql.SQL("BEGIN ISOLATION LEVEL {}").format(sql.SQL(isolation.value))

    @asynccontextmanager
    async def begin() -> AsyncGenerator[UnitOfWork[PostgresRepositories]]:
        with translated():
            async with pool.connection() as conn:
                await conn.execute(begin_statement)
                uow = PostgresUnitOfWork(conn)
                try:
                    yield uow
                finally:
                    await uow.leave()

    def begin_unit_of_work() -> AbstractAsyncContextManager[UnitOfWork[PostgresRepositories]]:
        return begin()

    return begin_unit_of_work
