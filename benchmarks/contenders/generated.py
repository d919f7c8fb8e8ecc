"""What sqlwright generates for `project/`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any, ClassVar, Self

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.pools import psycopg_pool
from benchmarks.place import Place
from benchmarks.rows import NewPerson


class Sync:
    """The functions at the package's root."""

    package: ClassVar[str] = "bench_db"

    def __init__(self, conn: Connection[Any], queries: Any) -> None:
        self._conn, self._queries = conn, queries

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Self]:
        """Connect."""
        with Connection.connect(place.url, autocommit=True) as conn:
            yield cls(conn, place.load("queries", cls.package))

    def person(self, key: int) -> Any:
        return self._queries.get_person(self._conn, id=key)

    def people(self, rows: int) -> list[Any]:
        found: list[Any] = self._queries.list_people(self._conn, rows=rows)
        return found

    def add(self, person: NewPerson) -> Any:
        name, email, phone, born, seen, balance, active = person
        return self._queries.add_person(
            self._conn, name=name, email=email, phone=phone, born=born, seen=seen, balance=balance, active=active
        )

    def set_balance(self, key: int, balance: Decimal) -> int:
        changed: int = self._queries.set_balance(self._conn, id=key, balance=balance)
        return changed

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        conn, queries = self._conn, self._queries
        batch = [queries.AddPeopleParams(*person) for person in people]
        copied = [queries.CopyPeopleParams(*person) for person in people]

        def loop() -> None:
            with conn.transaction():
                for row in batch:
                    queries.add_unseen(
                        conn,
                        name=row.name,
                        email=row.email,
                        phone=row.phone,
                        born=row.born,
                        seen=row.seen,
                        balance=row.balance,
                        active=row.active,
                    )

        def in_batch() -> None:
            with conn.transaction():
                queries.add_people(conn, batch)

        def by_copy() -> None:
            with conn.transaction():
                queries.copy_people(conn, copied)

        return {"loop": loop, "batch": in_batch, "copy": by_copy}

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], list[Any]]]:
        conn, queries = self._conn, self._queries
        rows = [queries.FindPeopleParams(key) for key in keys]

        def loop() -> list[Any]:
            with conn.transaction():
                return [queries.get_person(conn, id=row.id) for row in rows]

        def in_batch() -> list[Any]:
            with conn.transaction():
                found: list[Any] = queries.find_people(conn, rows)
            return found

        return {"loop": loop, "batch": in_batch}


class Async:
    """The functions of the package's `aio`."""

    package: ClassVar[str] = "bench_db"

    def __init__(self, conn: AsyncConnection[Any], pool: AsyncConnectionPool[AsyncConnection[Any]], queries: Any) -> None:
        self._conn, self._pool, self._queries = conn, pool, queries

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Self]:
        """Connect, and open a pool."""
        async with await AsyncConnection.connect(place.url, autocommit=True) as conn, psycopg_pool(place.url) as pool:
            yield cls(conn, pool, place.load("aio.queries", cls.package))

    async def person(self, key: int) -> Any:
        return await self._queries.get_person(self._conn, id=key)

    async def pooled_person(self, key: int) -> Any:
        async with self._pool.connection() as conn:
            return await self._queries.get_person(conn, id=key)

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        async with self._pool.connection() as conn:
            changed: int = await self._queries.set_balance(conn, id=key, balance=balance)
        return changed

    async def people(self, rows: int) -> list[Any]:
        found: list[Any] = await self._queries.list_people(self._conn, rows=rows)
        return found

    async def add(self, person: NewPerson) -> Any:
        name, email, phone, born, seen, balance, active = person
        return await self._queries.add_person(
            self._conn, name=name, email=email, phone=phone, born=born, seen=seen, balance=balance, active=active
        )

    async def set_balance(self, key: int, balance: Decimal) -> int:
        changed: int = await self._queries.set_balance(self._conn, id=key, balance=balance)
        return changed

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        conn, queries = self._conn, self._queries
        batch = [queries.AddPeopleParams(*person) for person in people]
        copied = [queries.CopyPeopleParams(*person) for person in people]

        async def loop() -> None:
            async with conn.transaction():
                for row in batch:
                    await queries.add_unseen(
                        conn,
                        name=row.name,
                        email=row.email,
                        phone=row.phone,
                        born=row.born,
                        seen=row.seen,
                        balance=row.balance,
                        active=row.active,
                    )

        async def in_batch() -> None:
            async with conn.transaction():
                await queries.add_people(conn, batch)

        async def by_copy() -> None:
            async with conn.transaction():
                await queries.copy_people(conn, copied)

        return {"loop": loop, "batch": in_batch, "copy": by_copy}

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], Awaitable[list[Any]]]]:
        conn, queries = self._conn, self._queries
        rows = [queries.FindPeopleParams(key) for key in keys]

        async def loop() -> list[Any]:
            async with conn.transaction():
                return [await queries.get_person(conn, id=row.id) for row in rows]

        async def in_batch() -> list[Any]:
            async with conn.transaction():
                found: list[Any] = await queries.find_people(conn, rows)
            return found

        return {"loop": loop, "batch": in_batch}


class DirectSync(Sync):
    """The same functions, with `calls: direct`."""

    package = "bench_direct_db"


class DirectAsync(Async):
    """The same functions, with `calls: direct`."""

    package = "bench_direct_db"
