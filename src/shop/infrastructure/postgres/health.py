"""Health checks of PostgreSQL: server, migrations, durability, outbox, and the stream that the outbox was published to.

Each check opens its own connection: an exhausted pool must not look like a dead server.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.errors import ConfigurationLimitExceeded, DiskFull, UndefinedColumn, UndefinedTable

from shop.application.cancellation import cancellation_first
from shop.application.health import Unhealthy
from shop.application.messaging.broker import BrokerUnavailable, StreamExtent
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import message_of
from shop.infrastructure.postgres.pool import make_durable
from shop.infrastructure.postgres.schema import OutdatedSchema, schema_version
from shop_db import outbox, users

# The outbox is counted up to this number.
_MAX_COUNTED = 10_000

# `shop prune` runs every day.
_ERASURE_LIMIT = timedelta(days=2)
_STREAM_MARGIN = timedelta(hours=1)
# More than fits into the memory of a sort, so PostgreSQL writes it to a temporary file next to the tables, and removes the file.
_FILL_MEGABYTE = "SELECT count(DISTINCT repeat(md5(number::text), 32)) FROM generate_series(1, 1024) AS number"
# NULL on a primary, and on a replica that has replayed everything, whose last transaction may be long ago.
_REPLICA_LAG = """
    SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
    WHERE pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
"""


class PostgresHealth:
    """The checks of one database."""

    def __init__(self, database_url: str, outbox_lag_limit: float) -> None:
        self._url = database_url
        self._lag_limit = outbox_lag_limit

    async def server(self) -> str:
        """Check that the server answers and accepts writes, and describe it. A megabyte is written to its disk, and removed."""
        async with self._connected() as conn:
            row = await (await conn.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")).fetchone()
            if row is None or row[0]:
                raise Unhealthy("a standby, which accepts no writes: promote it, or name the primary in database_url")
            if row[1] == "on":
                raise Unhealthy("accepts no writes: default_transaction_read_only is on, for the server, the database, the role or the URL")
            await self._write_megabyte(conn)
            major, _ = divmod(conn.info.server_version, 10_000)
            return f"PostgreSQL {major}, database {conn.info.dbname}"

    async def rights(self, missing_rights: Callable[[AsyncConnection[Any]], Awaitable[Sequence[str]]]) -> str:
        """Check that the role has every right that the service needs, as it may not have after a migration."""
        async with self._connected() as conn:
            try:
                missing = await missing_rights(conn)
            except UndefinedColumn as error:
                raise Unhealthy(f"the migrations are not applied ({error.diag.message_primary})") from None
            if missing:
                raise Unhealthy(f"missing: {', '.join(missing)}; run as the owner of the tables: shop database grant")
            return f"all of the service's, for {conn.info.user}"

    async def migrations(self) -> str:
        """Check the version of the schema. A newer version than this code requires is accepted, as during a deployment."""
        async with self._connected() as conn:
            try:
                return f"version {await schema_version(conn)}"
            except UndefinedTable:
                raise Unhealthy("no migration has been applied") from None
            except OutdatedSchema as error:
                raise Unhealthy(str(error)) from None

    async def outbox(self) -> str:
        """Check the age of pending events, and that there are no dead letters."""
        async with self._connected() as conn:
            measured = await outbox.measure_outbox(conn)
        lag = measured.lag_seconds or 0.0
        detail = f"{_counted(measured.waiting)} events pending, the oldest for {lag:.0f} s; {_counted(measured.dead)} dead letters"
        if lag > self._lag_limit or measured.dead:
            raise Unhealthy(detail)
        return detail

    async def erasures(self) -> str:
        """Check that no traces of erased users have been left for long."""
        async with self._connected() as conn:
            measured = await users.measure_erasures(conn)
        seconds = measured.seconds or 0.0
        if not measured.due:
            return "none is due"
        detail = f"{_counted(measured.due)} due, the first for {seconds / 3600:.1f} h: shop prune goes on with them"
        if seconds > _ERASURE_LIMIT.total_seconds():
            raise Unhealthy(detail)
        return detail

    async def audit_log(self) -> str:
        """Check that entries of the audit log are in the partition of their month."""
        async with self._connected() as conn:
            cur = await conn.execute("SELECT EXISTS (SELECT FROM audit_log_default)")
            if await cur.fetchone() != (False,):
                raise Unhealthy("entries have no partition of their month; run as the owner of the tables: shop database maintain")
        return "every entry is in the partition of its month"

    async def durability(self) -> str:
        """Check that commits survive a crash and a power failure, on a connection configured like those of the service."""
        async with self._connected() as conn:
            await make_durable(conn)
            cur = await conn.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
            )
            values: dict[str, str] = dict(await cur.fetchall())
        detail = ", ".join(f"{name}={value}" for name, value in values.items())
        wrong = [name for name, value in values.items() if value not in {"on", "remote_apply"}]
        if wrong:
            raise Unhealthy(f"{detail}: committed data may be lost; set {' and '.join(f'{name}=on' for name in wrong)} on the server")
        return detail

    async def replica(self) -> str:
        """Check the lag of a replica. If it cannot be used, the primary answers instead."""
        try:
            await self.migrations()
            async with self._connected() as conn:
                row = await (await conn.execute(_REPLICA_LAG)).fetchone()
        except Unhealthy as finding:
            raise Unhealthy(f"{finding}; the primary answers instead") from finding
        return "connected" if row is None or row[0] is None else f"connected, {row[0]:.0f} s behind"

    async def stream(self, get_extent: Callable[[], Awaitable[StreamExtent]], keep: timedelta) -> str:
        """Check that the stream holds every event that was published within its retention."""
        async with self._connected() as conn:
            # Before the extent is read: events published later are not expected in it.
            known_at = await outbox.get_time(conn)
            try:
                extent = await get_extent()
            except BrokerUnavailable as error:
                raise Unhealthy(str(error)) from error
            gap = await outbox.measure_stream_gap(
                conn,
                stream=extent.stream,
                first_sequence=extent.first,
                last_sequence=extent.last,
                deleted=list(extent.deleted),
                # The stream has its own clock, and events that are about to expire there are no loss.
                keep=keep - _STREAM_MARGIN,
                known_at=known_at,
            )
        if gap.lost:
            raise Unhealthy(
                f"{gap.lost} published events are missing from the stream; "
                f"run: shop outbox republish {gap.first_position} {gap.last_position}"
            )
        return f"complete, {max(extent.last - extent.first + 1 - len(extent.deleted), 0)} messages"

    async def _write_megabyte(self, conn: AsyncConnection[Any]) -> None:
        await conn.execute("SELECT set_config('work_mem', '64kB', false)")
        try:
            await conn.execute(_FILL_MEGABYTE)
        except DiskFull:
            raise Unhealthy("the disk is full: no megabyte can be written, so writes are refused; make room for it") from None
        except ConfigurationLimitExceeded:
            # The server's temp_file_limit allows none, so it is unknown whether there is room.
            return

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AsyncConnection[Any]]:
        try:
            with cancellation_first():
                async with await Connection.connect(self._url, autocommit=True, connect_timeout=3) as conn:
                    yield conn
        except Error as error:
            raise Unhealthy(message_of(error)) from None


def _counted(number: int) -> str:
    return str(number) if number <= _MAX_COUNTED else f"more than {_MAX_COUNTED}"
