"""psqlpy by hand: a driver in Rust, which prepares by itself and waits in threads of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import psqlpy

from benchmarks.contenders import AwaitedInsert
from benchmarks.contenders.by_hand import ADD, ADD_RETURNING, PEOPLE, PERSON, SET_BALANCE
from benchmarks.contenders.pools import SIZE
from benchmarks.place import Place
from benchmarks.rows import COLUMNS, NewPerson, Person

# Its results have no number of rows changed.
_SET_BALANCE = f"{SET_BALANCE} RETURNING id"


class Async:
    """psqlpy has no sync form."""

    def __init__(self, conn: Any, pool: Any) -> None:
        self._conn, self._pool = conn, pool

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect, and open a pool."""
        conn = await psqlpy.connect(place.url)
        with psqlpy.ConnectionPool(place.url, max_db_pool_size=SIZE) as pool:
            yield cls(conn, pool)
        conn.close()

    async def person(self, key: int) -> Person | None:
        return await self._person(self._conn, key)

    async def pooled_person(self, key: int) -> Person | None:
        async with self._pool.acquire() as conn:
            return await self._person(conn, key)

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        async with self._pool.acquire() as conn:
            changed = await conn.execute(_SET_BALANCE, [key, balance])
        return len(changed.result(as_tuple=True))

    @staticmethod
    async def _person(conn: Any, key: int) -> Person | None:
        # `fetch_row` raises an error where there is no row.
        rows = (await conn.execute(PERSON, [key])).result(as_tuple=True)
        return Person(*rows[0]) if rows else None

    async def people(self, rows: int) -> list[Person]:
        return [Person(*row) for row in (await self._conn.execute(PEOPLE, [rows])).result(as_tuple=True)]

    async def add(self, person: NewPerson) -> Person | None:
        row = await self._conn.fetch_row(ADD_RETURNING, list(person))
        return Person(*row.result(as_tuple=True))

    async def set_balance(self, key: int, balance: Decimal) -> int:
        changed = await self._conn.execute(_SET_BALANCE, [key, balance])
        return len(changed.result(as_tuple=True))

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn, given = self._conn, [list(person) for person in people]

        async def loop() -> None:
            async with conn.transaction() as transaction:
                for person in given:
                    await transaction.execute(ADD, person)

        async def in_batch() -> None:
            async with conn.transaction() as transaction:
                await transaction.execute_many(ADD, given)

        async def by_copy() -> None:
            async with conn.transaction() as transaction:
                await transaction.copy_records_to_table("added", records=given, columns=COLUMNS[1:])

        return {"loop": loop, "batch": in_batch, "copy": by_copy}
