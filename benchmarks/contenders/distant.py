"""Single calls and transactions as users of a pool write them, for a server at a distance: what counts there are round trips.

Connections are not in autocommit where there is a transaction: psycopg begins it with the first statement. asyncpg has no such mode.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor

from benchmarks.contenders.by_hand import PERSON
from benchmarks.names import ASYNCPG, BY_HAND, DIRECT, FEW, FEW_IN_TRANSACTION, GENERATED, ONE_FAR, ONE_IN_TRANSACTION
from benchmarks.place import Place
from benchmarks.rows import Person

# By case and contender; each returns a list of rows.
Calls = Mapping[str, Mapping[str, Callable[[], list[Any]]]]
AwaitedCalls = Mapping[str, Mapping[str, Callable[[], Awaitable[list[Any]]]]]

_KEY = 7
_KEYS = [(key,) for key in range(1, FEW + 1)]
_PACKAGES = {GENERATED: "bench_db", DIRECT: "bench_direct_db"}


@contextmanager
def sync_calls(place: Place) -> Generator[Calls]:
    """Open two connections for each contender."""
    with ExitStack() as stack:

        def connected(**options: Any) -> tuple[Connection[Any], Connection[Any]]:
            [first, second] = (stack.enter_context(Connection.connect(place.url, autocommit=on, **options)) for on in (True, False))
            return first, second

        found = [
            {name: _generated(place.load("queries", package), *connected()) for name, package in _PACKAGES.items()},
            {BY_HAND: _by_hand(*connected(cursor_factory=RawCursor))},
        ]
        yield _by_case({name: calls for some in found for name, calls in some.items()})


@asynccontextmanager
async def async_calls(place: Place) -> AsyncGenerator[AwaitedCalls]:
    """Open two connections for each contender, and one of asyncpg's."""
    async with AsyncExitStack() as stack:

        async def connected(**options: Any) -> tuple[AsyncConnection[Any], AsyncConnection[Any]]:
            [first, second] = [
                await stack.enter_async_context(await AsyncConnection.connect(place.url, autocommit=on, **options)) for on in (True, False)
            ]
            return first, second

        conn = await asyncpg.connect(place.url)
        stack.push_async_callback(conn.close)
        yield _by_case(
            {
                **{name: _generated_async(place.load("aio.queries", package), *await connected()) for name, package in _PACKAGES.items()},
                BY_HAND: _by_hand_async(*await connected(cursor_factory=AsyncRawCursor)),
                ASYNCPG: _asyncpg(conn),
            }
        )


def _by_case(contenders: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    cases = (ONE_FAR, ONE_IN_TRANSACTION, FEW_IN_TRANSACTION)
    return {case: {name: calls[case] for name, calls in contenders.items()} for case in cases}


def _generated(queries: Any, auto: Connection[Any], conn: Connection[Any]) -> dict[str, Callable[[], list[Any]]]:
    rows = [queries.FindPeopleParams(*key) for key in _KEYS]

    def one_in_transaction() -> list[Any]:
        person = queries.get_person(conn, id=_KEY)
        conn.commit()
        return [person]

    def few_in_transaction() -> list[Any]:
        found: list[Any] = queries.find_people(conn, rows)
        conn.commit()
        return found

    return {
        ONE_FAR: lambda: [queries.get_person(auto, id=_KEY)],
        ONE_IN_TRANSACTION: one_in_transaction,
        FEW_IN_TRANSACTION: few_in_transaction,
    }


def _by_hand(auto: Connection[Any], conn: Connection[Any]) -> dict[str, Callable[[], list[Any]]]:
    def one(conn: Connection[Any]) -> list[Any]:
        return [Person(*row) for row in conn.execute(PERSON, (_KEY,)).fetchall()]

    def one_in_transaction() -> list[Any]:
        found = one(conn)
        conn.commit()
        return found

    def few_in_transaction() -> list[Any]:
        cur = conn.cursor()
        cur.executemany(PERSON, _KEYS, returning=True)
        found = [Person(*row) for _ in cur.results() for row in cur.fetchall()]
        conn.commit()
        return found

    return {ONE_FAR: lambda: one(auto), ONE_IN_TRANSACTION: one_in_transaction, FEW_IN_TRANSACTION: few_in_transaction}


def _generated_async(queries: Any, auto: AsyncConnection[Any], conn: AsyncConnection[Any]) -> dict[str, Callable[[], Awaitable[list[Any]]]]:
    rows = [queries.FindPeopleParams(*key) for key in _KEYS]

    async def one() -> list[Any]:
        return [await queries.get_person(auto, id=_KEY)]

    async def one_in_transaction() -> list[Any]:
        person = await queries.get_person(conn, id=_KEY)
        await conn.commit()
        return [person]

    async def few_in_transaction() -> list[Any]:
        found: list[Any] = await queries.find_people(conn, rows)
        await conn.commit()
        return found

    return {ONE_FAR: one, ONE_IN_TRANSACTION: one_in_transaction, FEW_IN_TRANSACTION: few_in_transaction}


def _by_hand_async(auto: AsyncConnection[Any], conn: AsyncConnection[Any]) -> dict[str, Callable[[], Awaitable[list[Any]]]]:
    async def one(conn: AsyncConnection[Any]) -> list[Any]:
        cur = await conn.execute(PERSON, (_KEY,))
        return [Person(*row) for row in await cur.fetchall()]

    async def one_in_transaction() -> list[Any]:
        found = await one(conn)
        await conn.commit()
        return found

    async def few_in_transaction() -> list[Any]:
        cur = conn.cursor()
        await cur.executemany(PERSON, _KEYS, returning=True)
        found = [Person(*row) async for _ in cur.results() for row in await cur.fetchall()]
        await conn.commit()
        return found

    return {ONE_FAR: lambda: one(auto), ONE_IN_TRANSACTION: one_in_transaction, FEW_IN_TRANSACTION: few_in_transaction}


def _asyncpg(conn: Any) -> dict[str, Callable[[], Awaitable[list[Any]]]]:
    async def one() -> list[Any]:
        return [Person(*await conn.fetchrow(PERSON, _KEY))]

    async def one_in_transaction() -> list[Any]:
        async with conn.transaction():
            return await one()

    async def few_in_transaction() -> list[Any]:
        async with conn.transaction():
            return [Person(*row) for row in await conn.fetchmany(PERSON, _KEYS)]

    return {ONE_FAR: one, ONE_IN_TRANSACTION: one_in_transaction, FEW_IN_TRANSACTION: few_in_transaction}
