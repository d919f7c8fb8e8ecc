"""`UnitOfWork` over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum

from psycopg import OperationalError, sql
from psycopg.pq import TransactionStatus

from shop.application.unit_of_work import BeginUnitOfWork, CommitOutcomeUnknown, StoreDefect, UnitOfWork, UnitOfWorkClosed
from shop.infrastructure.postgres.audit_log import PostgresAuditLog
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import leaves_outcome_open, translated
from shop.infrastructure.postgres.login_attempts import PostgresLoginAttempts
from shop.infrastructure.postgres.order_repository import PostgresOrderRepository
from shop.infrastructure.postgres.outbox import PostgresOutbox
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.seeds import PostgresSeedRepository
from shop.infrastructure.postgres.settled_messages import PostgresProjections, PostgresSettledMessages
from shop.infrastructure.postgres.user_repository import PostgresUserRepository


class Isolation(StrEnum):
    """How much a transaction sees of others (PostgreSQL's manual, 13.2). Versions guard our writes, so the first one does for them."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


class PostgresUnitOfWork:
    """One transaction on a connection of its own. Made by `units_of_work` alone."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._queries = Queries(conn)
        self._is_over = False
        self.users = PostgresUserRepository(self._queries)
        self.orders = PostgresOrderRepository(self._queries)
        self.audit = PostgresAuditLog(self._queries)
        self.outbox = PostgresOutbox(self._queries)
        self.seeds = PostgresSeedRepository(self._queries)
        self.logins = PostgresLoginAttempts(self._queries)
        self.messages = PostgresSettledMessages(self._queries)
        self.projections = PostgresProjections(conn, self._queries)

    async def commit(self) -> None:
        """Make everything permanent, and close the repositories.

        Raises:
            CommitOutcomeUnknown: the connection broke before the server answered.
            UnitOfWorkClosed: it was committed already.
            StoreDefect: an error was swallowed on the way. PostgreSQL has given the transaction up, and would answer COMMIT with ROLLBACK.
        """
        if self._is_over:
            raise UnitOfWorkClosed("this unit of work was committed already")
        if self._conn.info.transaction_status is TransactionStatus.INERROR:
            raise StoreDefect("a statement failed, so nothing can be committed")
        self._end()
        try:
            await self._conn.commit()
        except OperationalError as error:
            if self._conn.closed or leaves_outcome_open(error):
                raise CommitOutcomeUnknown("the connection broke during the commit") from None
            raise

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what the block wrote, and that alone, if it raises. May be nested."""
        async with self._queries.savepoint():
            yield

    async def leave(self) -> None:
        """Roll back whatever was not committed."""
        self._end()
        if not self._conn.closed:
            await self._conn.rollback()

    def _end(self) -> None:
        self._is_over = True
        self._queries.close()


def units_of_work(pool: Pool, isolation: Isolation = Isolation.READ_COMMITTED) -> BeginUnitOfWork:
    """Give what begins transactions on the pool's connections."""
    begin_statement = sql.SQL("BEGIN ISOLATION LEVEL {}").format(sql.SQL(isolation.value))

    @asynccontextmanager
    async def begin() -> AsyncGenerator[UnitOfWork]:
        with translated():
            async with pool.connection() as conn:
                await conn.execute(begin_statement)
                uow = PostgresUnitOfWork(conn)
                try:
                    yield uow
                finally:
                    await uow.leave()

    def begin_unit_of_work() -> AbstractAsyncContextManager[UnitOfWork]:
        return begin()

    return begin_unit_of_work
