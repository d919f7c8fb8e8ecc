"""Health of PostgreSQL, its migrations and the outbox, each on a connection of its own: a full pool is not to look like a dead server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.errors import UndefinedTable

from shop.application.health import NotWell
from shop.infrastructure.postgres.errors import message_of
from shop_db import outbox

SCHEMA_VERSION = "20260101000020"
"""The newest migration that this code knows and needs."""


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
        lag = 0.0 if measured.oldest_at is None else (datetime.now(UTC) - measured.oldest_at).total_seconds()
        detail = f"{measured.waiting} events wait, the oldest for {max(lag, 0):.0f} s; {measured.dead} were given up"
        if lag > self._lag_limit or measured.dead:
            raise NotWell(detail)
        return detail

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AsyncConnection[Any]]:
        try:
            async with await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=3) as conn:
                yield conn
        except Error as error:
            raise NotWell(message_of(error)) from None
