"""Health of PostgreSQL, its migrations, its promises, and the outbox with the stream behind it.

Each is looked at on a connection of its own: a full pool is not to look like a dead server.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.errors import UndefinedTable

from shop.application.broker import BrokerUnavailable, StreamExtent
from shop.application.cancellation import cancellation_first
from shop.application.health import NotWell
from shop.infrastructure.postgres.errors import message_of
from shop.infrastructure.postgres.pool import make_durable
from shop_db import outbox

# As far as the outbox is counted.
_MOST_COUNTED = 10_000

SCHEMA_VERSION = "20260101000030"
"""The newest migration that this code knows and needs."""

_STREAM_MARGIN = timedelta(hours=1)
# A primary has no such lag, nor has a replica that has replayed everything: its last transaction may be long ago.
_REPLICA_LAG = """
    SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
    WHERE pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
"""


class PostgresHealth:
    """Probes of one database."""

    def __init__(self, database_url: str, outbox_lag_limit: float) -> None:
        self._url = database_url
        self._lag_limit = outbox_lag_limit

    async def server(self) -> str:
        """Say which server answers."""
        async with self._connected() as conn:
            major, _ = divmod(conn.info.server_version, 10_000)
            return f"PostgreSQL {major}, database {conn.info.dbname}"

    async def migrations(self) -> str:
        """Say how far the database is migrated: newer than this code is fine, as in the middle of a deployment."""
        async with self._connected() as conn:
            try:
                row = await (await conn.execute("SELECT max(version) FROM schema_migrations")).fetchone()
            except UndefinedTable:
                raise NotWell("the database was never migrated") from None
        version = row[0] if row else None
        if version is None or version < SCHEMA_VERSION:
            raise NotWell(f"the database is at {version or 'nothing'}, and this code needs {SCHEMA_VERSION}")
        return f"at {version}"

    async def outbox(self) -> str:
        """Say what waits to be published."""
        async with self._connected() as conn:
            measured = await outbox.measure_outbox(conn)
        lag = measured.lag_seconds or 0.0
        detail = f"{_counted(measured.waiting)} events wait, the oldest for {lag:.0f} s; {_counted(measured.dead)} were given up"
        if lag > self._lag_limit or measured.dead:
            raise NotWell(detail)
        return detail

    async def durability(self) -> str:
        """Say whether what the service commits outlives a crash and a power cut, on a connection that is set up as the service's are."""
        async with self._connected() as conn:
            await make_durable(conn)
            cur = await conn.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
            )
            found: dict[str, str] = dict(await cur.fetchall())
        detail = ", ".join(f"{name}={value}" for name, value in found.items())
        wrong = [name for name, value in found.items() if value not in {"on", "remote_apply"}]
        if wrong:
            raise NotWell(f"{detail}: what was acknowledged may be lost; set {' and '.join(f'{name}=on' for name in wrong)} on the server")
        return detail

    async def replica(self) -> str:
        """Say how far behind a replica is; where it cannot be used, the primary answers in its place."""
        try:
            await self.migrations()
            async with self._connected() as conn:
                row = await (await conn.execute(_REPLICA_LAG)).fetchone()
        except NotWell as finding:
            raise NotWell(f"{finding}; the primary answers in its place") from finding
        return "answers" if row is None or row[0] is None else f"answers, {row[0]:.0f} s behind"

    async def stream(self, look: Callable[[], Awaitable[StreamExtent]], keep: timedelta) -> str:
        """Say whether the stream holds every event that was published, as far back as it keeps them."""
        async with self._connected() as conn:
            # Before the stream is looked at: what is published later is not expected in what is seen.
            known_at = await outbox.get_time(conn)
            try:
                extent = await look()
            except BrokerUnavailable as error:
                raise NotWell(str(error)) from error
            gap = await outbox.measure_stream_gap(
                conn,
                stream=extent.stream,
                first_sequence=extent.first,
                last_sequence=extent.last,
                deleted=list(extent.deleted),
                # The stream's clock is another, and what is about to end there is no loss.
                keep=keep - _STREAM_MARGIN,
                known_at=known_at,
            )
        if gap.lost:
            raise NotWell(
                f"the stream has lost {gap.lost} events that were published: shop outbox republish {gap.first_position} {gap.last_position}"
            )
        return f"holds every event that was published, {max(extent.last - extent.first + 1 - len(extent.deleted), 0)} messages"

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AsyncConnection[Any]]:
        try:
            with cancellation_first():
                async with await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=3) as conn:
                    yield conn
        except Error as error:
            raise NotWell(message_of(error)) from None


def _counted(number: int) -> str:
    return str(number) if number <= _MOST_COUNTED else f"more than {_MOST_COUNTED}"
