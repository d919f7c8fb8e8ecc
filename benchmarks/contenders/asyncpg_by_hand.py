"""asyncpg by hand: it prepares and reads binary by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg

from benchmarks.contenders import AwaitedInsert
from benchmarks.contenders.by_hand import ADD, ADD_RETURNING, PEOPLE, PERSON, SET_BALANCE
from benchmarks.contenders.pools import SIZE
from benchmarks.place import Place
from benchmarks.rows import COLUMNS, NewPerson, Person


class Async:
    """asyncpg has no sync form."""

    def __init__(self, conn: Any, pool: Any) -> None:
        self._conn, self._pool = conn, pool

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect, and open a pool."""
        conn = await asyncpg.connect(place.url)
        async with asyncpg.create_pool(place.url, min_size=SIZE, max_size=SIZE) as pool:
            yield cls(conn, pool)
        await conn.close()

    async def person(self, key: int) -> Person | None:
        row = await self._conn.fetchrow(PERSON, key)
        return None if row is None else Person(*row)

    async def pooled_person(self, key: int) -> Person | None:
        async with self._pool.acquire() as conn:
            row = await conn.fetchrow(PERSON, key)
        return None if row is None else Person(*row)

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        async with self._pool.acquire() as conn:
            status: str = await conn.execute(SET_BALANCE, key, balance)
        return int(status.removeprefix("UPDATE "))

    async def people(self, rows: int) -> list[Person]:
        return [Person(*row) for row in await self._conn.fetch(PEOPLE, rows)]

    async def add(self, person: NewPerson) -> Person | None:
        row = await self._conn.fetchrow(ADD_RETURNING, *person)
        return None if row is None else Person(*row)

    async def set_balance(self, key: int, balance: Decimal) -> int:
        status: str = await self._conn.execute(SET_BALANCE, key, balance)
        return int(status.removeprefix("UPDATE "))

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn = self._conn

        async def loop() -> None:
            async with conn.transaction():
                for person in people:
                    await conn.execute(ADD, *person)

        async def in_batch() -> None:
            async with conn.transaction():
                await conn.executemany(ADD, people)

        async def by_copy() -> None:
            async with conn.transaction():
                await conn.copy_records_to_table("added", records=people, columns=COLUMNS[1:])

        return {"loop": loop, "batch": in_batch, "copy": by_copy}

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], Awaitable[list[Person]]]]:
        conn, given = self._conn, [(key,) for key in keys]

        async def loop() -> list[Person]:
            async with conn.transaction():
                return [Person(*await conn.fetchrow(PERSON, *key)) for key in given]

        async def in_batch() -> list[Person]:
            async with conn.transaction():
                return [Person(*row) for row in await conn.fetchmany(PERSON, given)]

        return {"loop": loop, "batch": in_batch}
