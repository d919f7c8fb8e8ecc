"""aiosql over psycopg: functions made from a file of queries at run time, with the class of the rows passed in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

import aiosql
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.pools import psycopg_pool
from benchmarks.place import Place
from benchmarks.rows import NewPerson, Person

QUERIES = """
-- name: person(id)^
-- record_class: Person
SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = :id

-- name: people(rows)
-- record_class: Person
SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT :rows

-- name: add(name, email, phone, born, seen, balance, active)^
-- record_class: Person
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (:name, :email, :phone, :born, :seen, :balance, :active)
RETURNING id, name, email, phone, born, seen, balance, active

-- name: add_unseen(name, email, phone, born, seen, balance, active)!
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (:name, :email, :phone, :born, :seen, :balance, :active)

-- name: add_people*!
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (:name, :email, :phone, :born, :seen, :balance, :active)

-- name: set_balance(id, balance)!
UPDATE people SET balance = :balance WHERE id = :id
"""


class Sync:
    """On a default connection."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self._queries: Any = aiosql.from_str(QUERIES, "psycopg", record_classes={"Person": Person})

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Sync]:
        """Connect."""
        with Connection.connect(place.url, autocommit=True) as conn:
            yield cls(conn)

    def person(self, key: int) -> Any:
        return self._queries.person(self._conn, id=key)

    def people(self, rows: int) -> list[Any]:
        return list(self._queries.people(self._conn, rows=rows))

    def add(self, person: NewPerson) -> Any:
        return self._queries.add(self._conn, **person._asdict())

    def set_balance(self, key: int, balance: Decimal) -> int:
        changed: int = self._queries.set_balance(self._conn, id=key, balance=balance)
        return changed

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        conn, queries = self._conn, self._queries
        given = [person._asdict() for person in people]

        def loop() -> None:
            with conn.transaction():
                for person in given:
                    queries.add_unseen(conn, **person)

        def in_batch() -> None:
            with conn.transaction():
                queries.add_people(conn, given)

        return {"loop": loop, "batch": in_batch}


class Async:
    """Like `Sync`, awaited."""

    def __init__(self, conn: AsyncConnection[Any], pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._conn, self._pool = conn, pool
        self._queries: Any = aiosql.from_str(QUERIES, "apsycopg", record_classes={"Person": Person})

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect, and open a pool."""
        async with await AsyncConnection.connect(place.url, autocommit=True) as conn, psycopg_pool(place.url) as pool:
            yield cls(conn, pool)

    async def person(self, key: int) -> Any:
        return await self._queries.person(self._conn, id=key)

    async def pooled_person(self, key: int) -> Any:
        async with self._pool.connection() as conn:
            return await self._queries.person(conn, id=key)

    async def people(self, rows: int) -> list[Any]:
        return [row async for row in self._queries.people(self._conn, rows=rows)]

    async def add(self, person: NewPerson) -> Any:
        return await self._queries.add(self._conn, **person._asdict())

    async def set_balance(self, key: int, balance: Decimal) -> int:
        changed: int = await self._queries.set_balance(self._conn, id=key, balance=balance)
        return changed

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn, queries = self._conn, self._queries
        given = [person._asdict() for person in people]

        async def loop() -> None:
            async with conn.transaction():
                for person in given:
                    await queries.add_unseen(conn, **person)

        async def in_batch() -> None:
            async with conn.transaction():
                await queries.add_people(conn, given)

        return {"loop": loop, "batch": in_batch}
