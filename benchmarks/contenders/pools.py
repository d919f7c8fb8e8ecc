"""Connection pools, the same size for every contender."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

SIZE = 8


@asynccontextmanager
async def psycopg_pool(url: str, **connect: Any) -> AsyncGenerator[AsyncConnectionPool[AsyncConnection[Any]]]:
    """Open psycopg's own pool, with connections in autocommit."""
    pool = AsyncConnectionPool[AsyncConnection[Any]](url, min_size=SIZE, max_size=SIZE, open=False, kwargs={"autocommit": True, **connect})
    async with pool:
        await pool.wait()
        yield pool
