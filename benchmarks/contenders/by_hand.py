"""psycopg by hand, as fast as its documentation allows.

PostgreSQL's own placeholders, statements prepared by psycopg, rows built by position. Results are text, which is faster here: psycopg
reads a binary numeric slowly.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor
from psycopg_pool import AsyncConnectionPool

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.pools import psycopg_pool
from benchmarks.place import Place
from benchmarks.rows import NewPerson, Person

PERSON = "SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = $1"
PEOPLE = "SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT $1"
ADD = "INSERT INTO added (name, email, phone, born, seen, balance, active) VALUES ($1, $2, $3, $4, $5, $6, $7)"
ADD_RETURNING = f"{ADD} RETURNING id, name, email, phone, born, seen, balance, active"
SET_BALANCE = "UPDATE people SET balance = $2 WHERE id = $1"
COPY = "COPY added (name, email, phone, born, seen, balance, active) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ("text", "text", "text", "date", "timestamptz", "numeric", "bool")


class Sync:
    """On a connection whose cursors take `$1`."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Sync]:
        """Connect."""
        with Connection.connect(place.url, autocommit=True, cursor_factory=RawCursor) as conn:
            yield cls(conn)

    def person(self, key: int) -> Person | None:
        row = self._conn.execute(PERSON, (key,)).fetchone()
        return None if row is None else Person(*row)

    def people(self, rows: int) -> list[Person]:
        return [Person(*row) for row in self._conn.execute(PEOPLE, (rows,)).fetchall()]

    def add(self, person: NewPerson) -> Person | None:
        row = self._conn.execute(ADD_RETURNING, person).fetchone()
        return None if row is None else Person(*row)

    def set_balance(self, key: int, balance: Decimal) -> int:
        return self._conn.execute(SET_BALANCE, (key, balance)).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        conn = self._conn

        def loop() -> None:
            with conn.transaction():
                for person in people:
                    conn.execute(ADD, person)

        def in_batch() -> None:
            with conn.transaction(), conn.cursor() as cur:
                cur.executemany(ADD, people)

        def by_copy() -> None:
            with conn.transaction(), conn.cursor() as cur, cur.copy(COPY) as copy:
                copy.set_types(COPY_TYPES)
                for person in people:
                    copy.write_row(person)

        return {"loop": loop, "batch": in_batch, "copy": by_copy}

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], list[Person]]]:
        conn, given = self._conn, [(key,) for key in keys]

        def loop() -> list[Person]:
            with conn.transaction():
                return [Person(*row) for key in given for row in conn.execute(PERSON, key).fetchall()]

        def in_batch() -> list[Person]:
            with conn.transaction(), conn.cursor() as cur:
                cur.executemany(PERSON, given, returning=True)
                return [Person(*row) for _ in cur.results() for row in cur.fetchall()]

        return {"loop": loop, "batch": in_batch}


class Async:
    """Like `Sync`, awaited."""

    def __init__(self, conn: AsyncConnection[Any], pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._conn, self._pool = conn, pool

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect, and open a pool."""
        async with (
            await AsyncConnection.connect(place.url, autocommit=True, cursor_factory=AsyncRawCursor) as conn,
            psycopg_pool(place.url, cursor_factory=AsyncRawCursor) as pool,
        ):
            yield cls(conn, pool)

    async def person(self, key: int) -> Person | None:
        return await self._person(self._conn, key)

    async def pooled_person(self, key: int) -> Person | None:
        async with self._pool.connection() as conn:
            return await self._person(conn, key)

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        async with self._pool.connection() as conn:
            return (await conn.execute(SET_BALANCE, (key, balance))).rowcount

    @staticmethod
    async def _person(conn: AsyncConnection[Any], key: int) -> Person | None:
        cur = await conn.execute(PERSON, (key,))
        row = await cur.fetchone()
        return None if row is None else Person(*row)

    async def people(self, rows: int) -> list[Person]:
        cur = await self._conn.execute(PEOPLE, (rows,))
        return [Person(*row) for row in await cur.fetchall()]

    async def add(self, person: NewPerson) -> Person | None:
        cur = await self._conn.execute(ADD_RETURNING, person)
        row = await cur.fetchone()
        return None if row is None else Person(*row)

    async def set_balance(self, key: int, balance: Decimal) -> int:
        return (await self._conn.execute(SET_BALANCE, (key, balance))).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn = self._conn

        async def loop() -> None:
            async with conn.transaction():
                for person in people:
                    await conn.execute(ADD, person)

        async def in_batch() -> None:
            async with conn.transaction(), conn.cursor() as cur:
                await cur.executemany(ADD, people)

        async def by_copy() -> None:
            async with conn.transaction(), conn.cursor() as cur, cur.copy(COPY) as copy:
                copy.set_types(COPY_TYPES)
                for person in people:
                    await copy.write_row(person)

        return {"loop": loop, "batch": in_batch, "copy": by_copy}

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], Awaitable[list[Person]]]]:
        conn, given = self._conn, [(key,) for key in keys]

        async def loop() -> list[Person]:
            async with conn.transaction():
                return [Person(*row) for key in given for row in await (await conn.execute(PERSON, key)).fetchall()]

        async def in_batch() -> list[Person]:
            async with conn.transaction(), conn.cursor() as cur:
                await cur.executemany(PERSON, given, returning=True)
                return [Person(*row) async for _ in cur.results() for row in await cur.fetchall()]

        return {"loop": loop, "batch": in_batch}
