"""psycopg in the form that other generators emit: results as text, parameters by name in a dict, nothing prepared, rows by keyword."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.pools import psycopg_pool
from benchmarks.place import Place
from benchmarks.rows import NewPerson, Person

PERSON = "SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = %(id)s"
PEOPLE = "SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT %(rows)s"
ADD = """
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (%(name)s, %(email)s, %(phone)s, %(born)s, %(seen)s, %(balance)s, %(active)s)
"""
ADD_RETURNING = f"{ADD}RETURNING id, name, email, phone, born, seen, balance, active"
SET_BALANCE = "UPDATE people SET balance = %(balance)s WHERE id = %(id)s"


def _made(row: tuple[Any, ...]) -> Person:
    return Person(id=row[0], name=row[1], email=row[2], phone=row[3], born=row[4], seen=row[5], balance=row[6], active=row[7])


class Sync:
    """On a default connection."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Sync]:
        """Connect."""
        with Connection.connect(place.url, autocommit=True) as conn:
            yield cls(conn)

    def person(self, key: int) -> Person | None:
        row = self._conn.execute(PERSON, {"id": key}, prepare=False).fetchone()
        return None if row is None else _made(row)

    def people(self, rows: int) -> list[Person]:
        return [_made(row) for row in self._conn.execute(PEOPLE, {"rows": rows}, prepare=False).fetchall()]

    def add(self, person: NewPerson) -> Person | None:
        row = self._conn.execute(ADD_RETURNING, person._asdict(), prepare=False).fetchone()
        return None if row is None else _made(row)

    def set_balance(self, key: int, balance: Decimal) -> int:
        return self._conn.execute(SET_BALANCE, {"id": key, "balance": balance}, prepare=False).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        conn = self._conn
        given = [person._asdict() for person in people]

        def loop() -> None:
            with conn.transaction():
                for person in given:
                    conn.execute(ADD, person, prepare=False)

        return {"loop": loop}


class Async:
    """Like `Sync`, awaited."""

    def __init__(self, conn: AsyncConnection[Any], pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._conn, self._pool = conn, pool

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect, and open a pool."""
        async with await AsyncConnection.connect(place.url, autocommit=True) as conn, psycopg_pool(place.url) as pool:
            yield cls(conn, pool)

    async def person(self, key: int) -> Person | None:
        return await self._person(self._conn, key)

    async def pooled_person(self, key: int) -> Person | None:
        async with self._pool.connection() as conn:
            return await self._person(conn, key)

    @staticmethod
    async def _person(conn: AsyncConnection[Any], key: int) -> Person | None:
        cur = await conn.execute(PERSON, {"id": key}, prepare=False)
        row = await cur.fetchone()
        return None if row is None else _made(row)

    async def people(self, rows: int) -> list[Person]:
        cur = await self._conn.execute(PEOPLE, {"rows": rows}, prepare=False)
        return [_made(row) for row in await cur.fetchall()]

    async def add(self, person: NewPerson) -> Person | None:
        cur = await self._conn.execute(ADD_RETURNING, person._asdict(), prepare=False)
        row = await cur.fetchone()
        return None if row is None else _made(row)

    async def set_balance(self, key: int, balance: Decimal) -> int:
        return (await self._conn.execute(SET_BALANCE, {"id": key, "balance": balance}, prepare=False)).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn = self._conn
        given = [person._asdict() for person in people]

        async def loop() -> None:
            async with conn.transaction():
                for person in given:
                    await conn.execute(ADD, person, prepare=False)

        return {"loop": loop}
