"""Plain commands when something goes wrong: an error in the middle of the rows, a cancellation, nothing found; in either colour.

COPY, batches and streams are in `tests/execution/test_commands.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

import psycopg
import pytest

from tests.support.projects import Compiler, Project, declare
from tests.support.waiting import wait_until_asleep

SCHEMA = "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);"
QUERIES = """
-- name: quotients :many
SELECT 12 / (3 - n) AS quotient FROM generate_series(@first::int, 5) AS n;

-- name: quotient :one
SELECT 12 / (3 - @n::int) AS quotient;

-- name: break_names :exec
UPDATE items SET name = (12 / (3 - id))::text WHERE id >= @first;

-- name: break_names_counted :execrows
UPDATE items SET name = (12 / (3 - id))::text WHERE id >= @first;

-- name: break_names_shown :execresult
UPDATE items SET name = (12 / (3 - id))::text WHERE id >= @first RETURNING id;

-- name: sleep_one :one
SELECT 1 AS one FROM pg_sleep(@seconds);

-- name: sleep_many :many
SELECT 1 AS one FROM pg_sleep(@seconds);

-- name: sleep_exec :exec
SELECT pg_sleep(@seconds);

-- name: sleep_counted :execrows
UPDATE items SET name = '' FROM pg_sleep(@seconds);

-- name: sleep_shown :execresult
UPDATE items SET name = '' FROM pg_sleep(@seconds) RETURNING id;
"""
_BREAKING: dict[str, dict[str, Any]] = {
    "quotients": {"first": 1},
    "quotient": {"n": 3},
    "break_names": {"first": 1},
    "break_names_counted": {"first": 1},
    "break_names_shown": {"first": 1},
}
_SLEEPING = ("sleep_one", "sleep_many", "sleep_exec", "sleep_counted", "sleep_shown")
SOURCE = declare(SCHEMA, QUERIES)


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    found = compiler.compile(SOURCE)
    with psycopg.connect(found.conninfo) as conn:
        conn.execute("INSERT INTO items SELECT n, n::text FROM generate_series(1, 5) AS n")
    return found


def names(project: Project) -> str:
    with psycopg.connect(project.conninfo) as conn:
        (found,) = conn.execute("SELECT string_agg(name, '' ORDER BY id) FROM items").fetchone() or ("",)
        return str(found)


@pytest.mark.parametrize("name", _BREAKING)
def test_an_error_in_the_middle_is_raised_and_nothing_is_done(project: Project, name: str) -> None:
    with psycopg.connect(project.conninfo, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            getattr(project.module("queries"), name)(conn, **_BREAKING[name])
        assert project.module("queries").quotients(conn, first=4) == [-12, -6]
    assert names(project) == "12345"


@pytest.mark.parametrize("name", _BREAKING)
def test_an_error_in_the_middle_of_an_async_function_too(project: Project, name: str) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(project.conninfo, autocommit=True) as conn:
            with pytest.raises(psycopg.errors.DivisionByZero):
                await getattr(project.module("aio.queries"), name)(conn, **_BREAKING[name])
            assert await project.module("aio.queries").quotients(conn, first=4) == [-12, -6]

    asyncio.run(run())
    assert names(project) == "12345"


def test_nothing_found_is_nothing(project: Project) -> None:
    queries = project.module("queries")
    with project.connect() as conn:
        assert queries.quotients(conn, first=6) == []
        assert queries.break_names(conn, first=6) is None
        assert queries.break_names_counted(conn, first=6) == 0
        shown = queries.break_names_shown(conn, first=6)
        assert (shown.rowcount, shown.fetchall()) == (0, [])


@pytest.mark.parametrize("name", _SLEEPING)
def test_a_cancelled_async_function_leaves_the_connection_usable(project: Project, name: str) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(project.conninfo, autocommit=True) as conn:
            called: Awaitable[Any] = getattr(project.module("aio.queries"), name)(conn, seconds=600)
            task = asyncio.ensure_future(called)
            await asyncio.to_thread(wait_until_asleep, project.conninfo)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await project.module("aio.queries").quotient(conn, n=1) == 6

    asyncio.run(run())
    assert names(project) == "12345"


@pytest.mark.parametrize("name", _SLEEPING)
def test_a_cancelled_sync_function_leaves_the_connection_usable(project: Project, name: str) -> None:
    with psycopg.connect(project.conninfo, autocommit=True) as conn:

        def cancel() -> None:
            wait_until_asleep(project.conninfo)
            conn.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            getattr(project.module("queries"), name)(conn, seconds=600)
        thread.join()
        assert project.module("queries").quotient(conn, n=1) == 6
    assert names(project) == "12345"
