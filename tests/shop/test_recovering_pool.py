"""The pool lends connections again as soon as PostgreSQL accepts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shop.bootstrap.adapters import pool_options
from shop.bootstrap.settings import Settings
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.pool import PoolOptions, open_pool

from .web import open_web

pytestmark = pytest.mark.programs


@asynccontextmanager
async def refusing() -> AsyncGenerator[tuple[str, list[None]]]:
    """Listen as a server that closes each connection at once. Return its URL and its attempts until now."""
    attempts = list[None]()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(None)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"postgresql://127.0.0.1:{server.sockets[0].getsockname()[1]}/shop?sslmode=disable&gssencmode=disable", attempts


async def attempted(attempts: list[None], number: int) -> None:
    while len(attempts) < number:  # noqa: ASYNC110 the condition is a number
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("min_size", [0, 1], ids=["for a caller", "for its minimum"])
async def test_an_outage_does_not_lengthen_the_pause_between_attempts_to_connect(min_size: int) -> None:
    async with refusing() as (url, attempts), open_pool(url, PoolOptions(min_size=min_size, max_size=1), is_required=False) as pool:
        waiting = None if min_size else asyncio.create_task(pool.getconn(60))
        # With pauses that double, it would take hours.
        async with asyncio.timeout(30):
            await attempted(attempts, 16)
        if waiting is not None:
            waiting.cancel()


async def test_a_pool_that_nobody_waits_for_and_that_needs_no_connection_stops_trying() -> None:
    async with (
        refusing() as (url, attempts),
        refusing() as (other_url, others),
        open_pool(url, PoolOptions(min_size=0), is_required=False) as pool,
        open_pool(other_url, PoolOptions(min_size=1, max_size=1), is_required=False),
    ):
        with pytest.raises(psycopg.OperationalError):
            await pool.getconn(0.1)
        async with asyncio.timeout(30):
            while pool.get_stats()["pool_size"]:  # noqa: ASYNC110 the pool has no event for it
                await asyncio.sleep(0.05)
        before = len(attempts)
        # The time in which a pool that does need a connection tries three times.
        async with asyncio.timeout(30):
            await attempted(others, len(others) + 3)
        assert len(attempts) == before


async def terminate_all(database_url: str) -> None:
    async with await Connection.connect(database_url, autocommit=True) as killer:
        await killer.execute("""
            SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)


async def test_a_caller_gets_a_connection_however_many_of_the_pool_are_broken(database_url: str) -> None:
    async with open_pool(database_url, PoolOptions(min_size=8, max_size=8, wait_timeout=5)) as pool:
        await pool.wait()
        await terminate_all(database_url)
        async with pool.connection() as conn:
            await conn.execute("SELECT 1")


async def test_a_server_is_ready_only_while_its_pool_has_a_connection(server_url: str, database_url: str) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(open_web(database_url, pool_max_size=1))

        async def state() -> tuple[int, bool]:
            ready = await web.client.get("/readyz")
            return ready.status_code, next(each["is_healthy"] for each in ready.json()["dependencies"] if each["name"] == "connections")

        assert await state() == (200, True)
        admin = await stack.enter_async_context(
            await Connection.connect(str(database_url).replace(f"/{name}", "/postgres"), autocommit=True)
        )
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        await admin.execute(statement.format(sql.Identifier(str(name)), sql.SQL("false")))
        try:
            await admin.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name])
            assert await state() == (503, False)
        finally:
            await admin.execute(statement.format(sql.Identifier(str(name)), sql.SQL("true")))
        async with asyncio.timeout(30):
            while await state() != (200, True):  # noqa: ASYNC110 as above
                await asyncio.sleep(0.05)


async def test_a_pool_that_is_busy_is_not_without_connections(database_url: str) -> None:
    async with open_pool(database_url, PoolOptions(max_size=1)) as pool:
        async with pool.connection():
            assert await pool.can_lend(0.1)
        assert await pool.can_lend(5)


async def test_a_connection_is_replaced_at_the_age_of_the_settings(database_url: str) -> None:
    settings = Settings.model_validate({"database_url": database_url, "pool_max_size": 1, "pool_max_lifetime": 1})

    async def backend() -> int:
        async with pool.connection() as conn:
            return conn.info.backend_pid

    async with open_pool(database_url, pool_options(settings)) as pool:
        first = await backend()
        async with asyncio.timeout(30):
            while await backend() == first:  # noqa: ASYNC110 as above
                await asyncio.sleep(0.05)


async def test_a_connection_beyond_the_minimum_is_closed_after_the_idle_time_of_the_settings(database_url: str) -> None:
    settings = Settings.model_validate({"database_url": database_url, "pool_min_size": 1, "pool_max_size": 2, "pool_max_idle": 1})
    async with open_pool(database_url, pool_options(settings)) as pool:
        async with pool.connection(), pool.connection():
            assert pool.get_stats()["pool_size"] == 2
        async with asyncio.timeout(30):
            while pool.get_stats()["pool_size"] > 1:  # noqa: ASYNC110 the pool has no event for it
                await asyncio.sleep(0.05)
