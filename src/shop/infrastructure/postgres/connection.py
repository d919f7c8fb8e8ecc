"""Connections that do not wait indefinitely for a silent server, and whose texts mean the same everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow

# Without them psycopg returns bytes for texts, or cannot parse dates. The environment (PGCLIENTENCODING, PGDATESTYLE, PGTZ), the URL, the
# role and the database may say otherwise. By a statement and not by libpq's `options`, which connection poolers reject.
_SESSION = "SELECT set_config('DateStyle', 'ISO', false), set_config('TimeZone', 'UTC', false)"


class Connection(AsyncConnection[TupleRow]):
    """A connection that is closed, with an `OperationalError`, if the server does not answer for `patience` seconds.

    PostgreSQL's own timeouts do not cover this: a frozen server process keeps its connections and enforces nothing, and a network may drop
    all packets.
    """

    patience: float | None = None

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect, with UTF-8, dates of ISO 8601 and the time zone UTC, whatever the default."""
        options["client_encoding"] = "UTF8"
        conn = await super().connect(conninfo, **options)
        try:
            await conn.execute(_SESSION)
            if not conn.autocommit:
                await conn.commit()
        except BaseException:
            await conn.close()
            raise
        return conn

    async def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """Wait for the server, as every call of the driver does."""
        limit = asyncio.timeout(self.patience)
        try:
            async with limit:
                return await super().wait(gen, *args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            # The answer may still arrive, and would be taken for that of a later statement.
            await self.close()
            raise OperationalError(f"the server has not answered for {self.patience:g} s") from None

    @contextmanager
    def waiting(self, seconds: float | None) -> Generator[None]:
        """Use another limit, or none, until the end of the block."""
        patience, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = patience
