"""The connection pool, which opens only if the database is ready for the service."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection, Error, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from shop.application.cancellation import cancellation_first
from shop.application.outages import Outage
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import message_of, messages_of
from shop.infrastructure.postgres.recovering_pool import RecoveringPool
from shop.infrastructure.postgres.schema import OutdatedSchema, schema_version
from shop_db import answers, audit, inbox, logins, orders, outbox, users

_log = logging.getLogger("shop.pool")

Pool: TypeAlias = RecoveringPool

# Seconds between two attempts to reach a database that a start waits for.
_TRY_AGAIN_AFTER: Final = 0.5
# What no waiting cures, in the words of libpq and PostgreSQL: psycopg does not know the SQLSTATE of a refused connection. If the server's
# language is another one, the start waits, and the log has the reason.
_LASTING: Final = re.compile(
    r"""
      \ authentication\ failed\ for\ user\ | no\ password\ supplied | pg_hba\.conf
    | (?:role|database)\ ".*"\ does\ not\ exist | is\ not\ permitted\ to\ log\ in | permission\ denied\ for\ database
    | does\ not\ support\ SSL | certificate | connection\ is\ bad:\ invalid\b
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """The number of connections, and timeouts in seconds."""

    min_size: int = 1
    max_size: int = 10
    wait_timeout: float = 10.0
    # A connection is replaced at that age, so that a new primary, a new password and new rights are used, and its memory is returned.
    max_lifetime: float = 3600.0
    # A connection beyond the minimum is closed after that time without use.
    max_idle: float = 600.0
    # By default libpq waits for a silent host for minutes. A connect_timeout in the URL takes precedence.
    connect_timeout: int = 5
    # After that the transaction is rolled back, and the connection is free again.
    statement_timeout: float = 15.0
    # How much longer to wait for the server, which normally cancels the statement itself.
    answer_margin: float = 5.0
    # Short, because waiting for a lock occupies a connection: one locked row must not occupy all of them. Longer than PostgreSQL's
    # deadlock_timeout of one second, so that a deadlock is reported as such and retried.
    lock_timeout: float = 2.0
    # No transaction waits for anything but the database, so a longer pause means that the process is frozen, and holds locks.
    idle_in_transaction_timeout: float = 30.0
    application_name: str = "shop"
    # Before each use, at the cost of a round trip.
    is_checked: bool = True
    # Off behind a pooler that lends another server connection for each transaction.
    prepared_statements: bool = True
    # Off where each use is a transaction, which then begins in the same round trip as its first query.
    autocommit: bool = True


class DatabaseNotReady(Exception):
    """The database cannot be used: invalid URL, no connection, or missing migrations or rights. The message says which."""


class DatabaseDown(DatabaseNotReady):
    """The database does not answer, or accepts no connection now. It may later, without a change of the settings or of the database."""


@asynccontextmanager
async def open_pool(
    database_url: str, options: PoolOptions = PoolOptions(), *, is_required: bool = True, waits: bool = False
) -> AsyncGenerator[Pool]:
    """Open a pool on a libpq URL or connection string, and close it at the end. Raises `DatabaseNotReady`, or `DatabaseDown`.

    A database that is not required, such as a replica, may become available later; then only an invalid URL is an error. A required one
    that is down is waited for with `waits`, and the log has a line when that begins and when it ends.

    Connections are in autocommit mode, so transactions are explicit, unless the options say otherwise. Each is checked before it is lent,
    and replaced if it broke in the pool; without `is_checked` its first query fails, for callers that try again anyway.
    """
    conninfo = _conninfo(database_url, options)
    patience = options.statement_timeout + options.answer_margin
    connecting: dict[str, Any] = {"autocommit": True} if options.prepared_statements else {"autocommit": True, "prepare_threshold": None}
    ready = list[Connection]()

    async def configure(conn: Connection) -> None:
        conn.patience = patience
        # By statements and not by libpq's `options`, which connection poolers reject.
        await conn.execute(
            """
            SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),
                   set_config('idle_in_transaction_session_timeout', %s, false)
            """,
            [_milliseconds(each) for each in (options.statement_timeout, options.lock_timeout, options.idle_in_transaction_timeout)],
        )
        await make_durable(conn)
        await conn.set_autocommit(options.autocommit)

    pool = RecoveringPool(
        conninfo,
        check_within=options.connect_timeout if options.is_checked else None,
        connection_class=_connections_that_log(ready),
        min_size=options.min_size,
        max_size=options.max_size,
        timeout=options.wait_timeout,
        max_lifetime=options.max_lifetime,
        max_idle=options.max_idle,
        configure=configure,
        kwargs=connecting,
        name=options.application_name,
        open=False,
    )
    try:
        if is_required:
            ready.append(await (_await_ready if waits else _require_ready)(conninfo, connecting, patience))
            if not options.min_size:
                # It might be taken much later.
                await ready.pop().close()
        async with pool:
            yield pool
    finally:
        # Without a use the pool may not have taken it.
        for conn in ready:
            await conn.close()


def _connections_that_log(ready: list[Connection]) -> type[Connection]:
    """Return a class whose failures to connect are logged as one outage: who waits for the pool learns only that there is no connection.

    Before it connects it takes those that are ready: what they have read of the catalogue need not be read again.
    """
    outage = Outage(_log, "PostgreSQL accepts no connection", "PostgreSQL accepts connections again")

    class Logging(Connection):
        @classmethod
        async def connect(cls, *args: Any, **kwargs: Any) -> Any:
            if ready:
                return ready.pop()
            try:
                conn = await super().connect(*args, **kwargs)
            except Error as error:
                outage.begin(message_of(error))
                raise
            outage.end()
            return conn

    return Logging


async def make_durable(conn: AsyncConnection[Any]) -> None:
    """Make commits on this connection wait for the disk, whatever the default of the server, the database or the role."""
    # remote_apply is stronger, and is kept.
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


async def _await_ready(conninfo: str, connecting: Mapping[str, Any], patience: float) -> Connection:
    outage = Outage(_log, "the start waits for PostgreSQL", "PostgreSQL answers, and the start goes on")
    while True:
        try:
            conn = await _require_ready(conninfo, connecting, patience)
        except DatabaseDown as down:
            outage.begin(down)
            await asyncio.sleep(_TRY_AGAIN_AFTER)
        else:
            outage.end()
            return conn


async def _require_ready(conninfo: str, connecting: Mapping[str, Any], patience: float) -> Connection:
    try:
        with cancellation_first():
            conn = await Connection.connect(conninfo, **connecting)
            conn.patience = patience
    except Error as error:
        # Of several hosts, another one may yet answer.
        is_lasting = all(_LASTING.search(each) for each in messages_of(error))
        raise (DatabaseNotReady if is_lasting else DatabaseDown)(f"cannot connect to PostgreSQL: {message_of(error)}") from None
    try:
        await _read_once(conn)
    except BaseException:
        await conn.close()
        raise
    return conn


async def _read_once(conn: Connection) -> None:
    try:
        # Cheap queries that together name every table and column of this code. None takes a lock, which a replica would reject.
        await users.get_user(conn, id=uuid.UUID(int=0))
        await orders.get_order_with_lines(conn, id=uuid.UUID(int=0))
        await orders.list_daily_sales(conn, since=dt.date.max)
        await audit.list_audit_entries(conn, after_id=None, page_size=0)
        await outbox.measure_outbox(conn)
        await inbox.list_dead_messages(conn, after_dead_at=None, after_consumer=None, after_message_id=None, page_size=0)
        await answers.get_answer(conn, scope="", key="")
        await logins.get_blocked_login(conn, login="", attempts=0, period=dt.timedelta())
        # Those that change only functions, rights or constraints.
        await schema_version(conn)
    except OutdatedSchema as error:
        raise DatabaseNotReady(f"the migrations are not applied: {error}") from None
    except (UndefinedTable, UndefinedColumn) as error:
        # PostgreSQL raises this during parsing, so its message contains no value.
        raise DatabaseNotReady(f"the migrations are not applied ({error.diag.message_primary})") from None
    except InsufficientPrivilege as error:
        role = conn.info.user
        raise DatabaseNotReady(
            f"the role {role} may not use the tables ({error.diag.message_primary}); run: shop database grant {role}"
        ) from None
    except OperationalError as error:
        raise DatabaseDown(f"the database cannot be read: {message_of(error)}") from None
    except Error as error:
        raise DatabaseNotReady(f"the database cannot be read: {message_of(error)}") from None


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
