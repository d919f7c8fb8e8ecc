"""The connection pool, opened only on a database that is ready for the service."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection, Error, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable
from psycopg_pool import AsyncConnectionPool

from shop.application.cancellation import cancellation_first
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import message_of
from shop_db import audit, inbox, logins, orders, outbox, users

Pool: TypeAlias = AsyncConnectionPool[Connection]


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How many connections there are, and how long anything is waited for, in seconds."""

    min_size: int = 1
    max_size: int = 10
    wait_timeout: float = 10.0
    # libpq alone would wait for a silent host for minutes. A connect_timeout in the URL wins.
    connect_timeout: int = 5
    # A statement that takes longer was not meant to; the transaction is rolled back, and its connection lent to the next.
    statement_timeout: float = 15.0
    # How much longer the server is waited for: one that answers ends the statement by itself.
    answer_margin: float = 5.0
    # Short, because who waits for a lock holds a connection: one locked row must not take all of them. Longer than PostgreSQL's
    # deadlock_timeout of a second, so that a deadlock is still found as one, which is worth another attempt.
    lock_timeout: float = 2.0
    # No transaction waits for anything but the database, so a longer pause is that of a process that is frozen, with its locks.
    idle_in_transaction_timeout: float = 30.0
    application_name: str = "shop"


class DatabaseNotReady(Exception):
    """The database cannot be used: the URL is not one, no server answers or lets us in, or the migrations are missing. Says which."""


@asynccontextmanager
async def open_pool(database_url: str, options: PoolOptions = PoolOptions(), *, is_required: bool = True) -> AsyncGenerator[Pool]:
    """Open a pool on a libpq URL or connection string, and close it at the end. Raises `DatabaseNotReady`.

    Where the database is not required, as a replica is not, it may also come later: then only the URL itself may be wrong.

    Its connections are in autocommit mode, so a transaction is where somebody says so and nowhere else. Each is checked before it is
    lent: one that died in the pool is replaced rather than handed out.
    """
    conninfo = _conninfo(database_url, options)
    patience = options.statement_timeout + options.answer_margin
    if is_required:
        await _require_ready(conninfo, patience)

    async def configure(conn: Connection) -> None:
        conn.patience = patience
        # By statements and not by libpq's `options`, which connection poolers in between refuse.
        await conn.execute(
            """
            SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),
                   set_config('idle_in_transaction_session_timeout', %s, false)
            """,
            [_milliseconds(each) for each in (options.statement_timeout, options.lock_timeout, options.idle_in_transaction_timeout)],
        )
        await make_durable(conn)

    async def check(conn: Connection) -> None:
        with conn.waiting(options.connect_timeout):
            await AsyncConnectionPool.check_connection(conn)

    pool: Pool = AsyncConnectionPool(
        conninfo,
        connection_class=Connection,
        min_size=options.min_size,
        max_size=options.max_size,
        timeout=options.wait_timeout,
        check=check,
        configure=configure,
        kwargs={"autocommit": True},
        name=options.application_name,
        open=False,
    )
    async with pool:
        yield pool


async def make_durable(conn: AsyncConnection[Any]) -> None:
    """Have commits on this connection wait for the disk, whatever the server, the database or the role has as a default."""
    # A standby that has also applied it is more than that, and stays.
    await conn.execute("""
        SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply'
    """)


def _conninfo(database_url: str, options: PoolOptions) -> str:
    try:
        parameters = conninfo_to_dict(database_url)
    except ProgrammingError:
        # libpq's message quotes the URL, and with it the password.
        raise DatabaseNotReady("the database URL is not a PostgreSQL connection string") from None
    parameters.setdefault("connect_timeout", options.connect_timeout)
    parameters.setdefault("application_name", options.application_name)
    return make_conninfo("", **parameters)


async def _require_ready(conninfo: str, patience: float) -> None:
    try:
        with cancellation_first():
            conn = await Connection.connect(conninfo, autocommit=True)
            conn.patience = patience
    except Error as error:
        raise DatabaseNotReady(f"cannot connect to PostgreSQL: {message_of(error)}") from None
    async with conn:
        try:
            # Cheap, and together they name every table: a database that answers has them as this code knows them. None locks anything,
            # for a replica refuses that.
            await users.get_user(conn, id=uuid.UUID(int=0))
            await orders.get_order_with_lines(conn, id=uuid.UUID(int=0))
            await orders.list_daily_sales(conn, since=dt.date.max)
            await audit.list_audit_entries(conn, after_id=None, page_size=0)
            await outbox.measure_outbox(conn)
            await inbox.list_dead_messages(conn, at_most=0)
            await logins.get_blocked_login(conn, login="", attempts=0, period=dt.timedelta())
        except (UndefinedTable, UndefinedColumn) as error:
            # PostgreSQL says this while it parses, before it has seen any value.
            raise DatabaseNotReady(f"the migrations are not applied ({error.diag.message_primary})") from None
        except InsufficientPrivilege as error:
            role = conn.info.user
            raise DatabaseNotReady(f"the role {role} may not use the tables ({error.diag.message_primary}); grant it the rights") from None
        except Error as error:
            raise DatabaseNotReady(f"the database cannot be read: {message_of(error)}") from None


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
