"""The connection pool, opened only on a database that is ready for the service."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeAlias

from psycopg import AsyncConnection, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import UndefinedColumn, UndefinedTable
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from shop_db import users

Connection: TypeAlias = AsyncConnection[TupleRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]

_MIN_SIZE = 1
_MAX_SIZE = 10
_SECONDS_FOR_A_TURN = 10.0
# libpq alone would wait for a silent host for minutes. A connect_timeout in the URL wins.
_SECONDS_TO_CONNECT = 5


class DatabaseNotReady(Exception):
    """The database cannot be used: the URL is not one, no server answers or lets us in, or the migrations are missing. Says which."""


@asynccontextmanager
async def open_pool(database_url: str) -> AsyncGenerator[Pool, None]:
    """Open a pool on a libpq URL or connection string, and close it at the end. Raises `DatabaseNotReady`.

    Its connections are in autocommit mode, so a transaction is where `connection.transaction()` says so and nowhere else. Each is checked
    before it is lent: one that died in the pool is replaced rather than handed out.
    """
    conninfo = _conninfo(database_url)
    await _require_ready(conninfo)
    pool: Pool = AsyncConnectionPool(
        conninfo,
        min_size=_MIN_SIZE,
        max_size=_MAX_SIZE,
        timeout=_SECONDS_FOR_A_TURN,
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True},
        name="shop",
        open=False,
    )
    async with pool:
        yield pool


def _conninfo(database_url: str) -> str:
    try:
        parameters = conninfo_to_dict(database_url)
    except ProgrammingError:
        # libpq's message quotes the URL, and with it the password.
        raise DatabaseNotReady("the database URL is not a PostgreSQL connection string") from None
    return make_conninfo("", **{"connect_timeout": _SECONDS_TO_CONNECT, **parameters})


async def _require_ready(conninfo: str) -> None:
    try:
        conn = await AsyncConnection.connect(conninfo, autocommit=True)
    except OperationalError as error:
        raise DatabaseNotReady(f"cannot connect to PostgreSQL: {error}") from error
    async with conn:
        try:
            # Cheaper than any count, and it names every column: a database that answers it has the table as this code knows it.
            await users.get_user(conn, id=uuid.UUID(int=0))
        except (UndefinedTable, UndefinedColumn) as error:
            raise DatabaseNotReady(f"the migrations are not applied ({error.diag.message_primary})") from error
