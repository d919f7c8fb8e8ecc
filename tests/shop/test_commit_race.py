"""What PostgreSQL does not exclude at serializable, for which campaigns blame no one (`Anomaly.G2_OF_COMMITS`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
from psycopg import AsyncConnection
from psycopg.errors import SerializationFailure

from .replication import running_primary

pytestmark = pytest.mark.programs

Session: TypeAlias = AsyncConnection[tuple[Any, ...]]

# A commit is visible to others before the server releases the locks of its transaction, and that is before it finishes its records of
# conflicts. Releasing so many locks takes longer than the few statements of the other sessions.
_LOCKS = 200_000
# The system may run those statements too late.
_TRIES = 30


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of a server that has room for the locks."""
    with running_primary("-c max_locks_per_transaction=10000") as server:
        yield server.url


@pytest.fixture
async def sessions(url: str) -> AsyncIterator[list[Session]]:
    """Four sessions on a table of two numbers."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(await AsyncConnection.connect(url, autocommit=True)) for _ in range(4)]
        await found[0].execute("CREATE TABLE numbers (name text PRIMARY KEY, value int NOT NULL)")
        await found[0].execute("INSERT INTO numbers VALUES ('x', 0), ('y', 0)")
        yield found


async def _value(conn: Session, name: str) -> int:
    row = await (await conn.execute("SELECT value FROM numbers WHERE name = %s", [name])).fetchone()
    assert row is not None
    return int(row[0])


async def _is_consistent(sessions: list[Session], *, at_the_same_time: bool) -> bool:
    """Return whether the serializable transactions of three sessions have an order.

    The first one reads x and writes y, the second one writes x, and the third one reads the x that the second one wrote and the y before
    the first one wrote it. So each of them would have to come before the next, and PostgreSQL should roll back the third one.
    """
    watch, first, second, third = sessions
    await watch.execute("UPDATE numbers SET value = 0")
    for conn in (first, second):
        await conn.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    assert await _value(first, "x") == 0
    await first.execute("UPDATE numbers SET value = 1 WHERE name = 'y'")
    await second.execute("SELECT count(pg_advisory_xact_lock(number)) FROM generate_series(1, %s) number", [_LOCKS])
    await second.execute("UPDATE numbers SET value = 1 WHERE name = 'x'")
    committing = asyncio.create_task(second.execute("COMMIT"))
    while await _value(watch, "x") == 0:
        if committing.done():
            # It is visible by now, unless it was refused.
            committing.result()
    if not at_the_same_time:
        await committing
    try:
        await third.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        assert await _value(third, "x") == 1
        await first.execute("COMMIT")
        await committing
        assert await _value(third, "y") == 0
        await third.execute("COMMIT")
    except SerializationFailure:
        await committing
        for conn in (first, third):
            await conn.execute("ROLLBACK")
        return True
    return False


async def test_commits_one_after_the_other_are_consistent(sessions: list[Session]) -> None:
    assert all([await _is_consistent(sessions, at_the_same_time=False) for _ in range(3)])


async def test_commits_at_the_same_time_are_not(sessions: list[Session]) -> None:
    """If this fails, PostgreSQL has been corrected: remove `Anomaly.G2_OF_COMMITS`."""
    for _ in range(_TRIES):
        if not await _is_consistent(sessions, at_the_same_time=True):
            return
    pytest.fail("PostgreSQL rolled back one of the transactions each time")
