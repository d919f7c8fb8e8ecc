"""SQLAlchemy Core: tables, and statements that are built once, so that SQLAlchemy finds their text in its cache of compiled statements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.alchemy import async_engine, in_transactions, sync_engine
from benchmarks.place import Place
from benchmarks.rows import NewPerson, Person


def _columns() -> tuple[Column[Any], ...]:
    return (
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False),
        Column("email", Text, nullable=False),
        Column("phone", Text),
        Column("born", Date, nullable=False),
        Column("seen", DateTime(timezone=True), nullable=False),
        Column("balance", Numeric(12, 2), nullable=False),
        Column("active", Boolean, nullable=False),
    )


_METADATA = MetaData()
_PEOPLE, _ADDED = Table("people", _METADATA, *_columns()), Table("added", _METADATA, *_columns())

PERSON = select(_PEOPLE).where(_PEOPLE.c.id == bindparam("key"))
PEOPLE = select(_PEOPLE).order_by(_PEOPLE.c.id).limit(bindparam("rows"))
ADD = insert(_ADDED)
ADD_RETURNING = insert(_ADDED).returning(*_ADDED.c)
SET_BALANCE = update(_PEOPLE).where(_PEOPLE.c.id == bindparam("key")).values(balance=bindparam("new_balance"))


class Sync:
    """On one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Sync]:
        """Connect."""
        engine = sync_engine(place.url)
        with engine.connect() as conn:
            yield cls(conn)
        engine.dispose()

    def person(self, key: int) -> Person | None:
        row = self._conn.execute(PERSON, {"key": key}).one_or_none()
        return None if row is None else Person(*row)

    def people(self, rows: int) -> list[Person]:
        return [Person(*row) for row in self._conn.execute(PEOPLE, {"rows": rows}).all()]

    def add(self, person: NewPerson) -> Person:
        return Person(*self._conn.execute(ADD_RETURNING, person._asdict()).one())

    def set_balance(self, key: int, balance: Decimal) -> int:
        return self._conn.execute(SET_BALANCE, {"key": key, "new_balance": balance}).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        engine = self._conn.engine.execution_options(isolation_level="READ COMMITTED")
        given = [person._asdict() for person in people]

        def loop() -> None:
            with engine.begin() as conn:
                for person in given:
                    conn.execute(ADD, person)

        def in_batch() -> None:
            with engine.begin() as conn:
                conn.execute(ADD, given)

        return {"loop": loop, "batch": in_batch}


class Async:
    """Like `Sync`, awaited."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect; the engine has a pool."""
        engine = async_engine(place.url)
        async with engine.connect() as conn:
            yield cls(conn)
        await engine.dispose()

    async def person(self, key: int) -> Person | None:
        return await self._person(self._conn, key)

    async def pooled_person(self, key: int) -> Person | None:
        async with self._conn.engine.connect() as conn:
            return await self._person(conn, key)

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        async with self._conn.engine.connect() as conn:
            return (await conn.execute(SET_BALANCE, {"key": key, "new_balance": balance})).rowcount

    @staticmethod
    async def _person(conn: AsyncConnection, key: int) -> Person | None:
        row = (await conn.execute(PERSON, {"key": key})).one_or_none()
        return None if row is None else Person(*row)

    async def people(self, rows: int) -> list[Person]:
        return [Person(*row) for row in (await self._conn.execute(PEOPLE, {"rows": rows})).all()]

    async def add(self, person: NewPerson) -> Person:
        return Person(*(await self._conn.execute(ADD_RETURNING, person._asdict())).one())

    async def set_balance(self, key: int, balance: Decimal) -> int:
        return (await self._conn.execute(SET_BALANCE, {"key": key, "new_balance": balance})).rowcount

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        engine = in_transactions(self._conn.engine)
        given = [person._asdict() for person in people]

        async def loop() -> None:
            async with engine.begin() as conn:
                for person in given:
                    await conn.execute(ADD, person)

        async def in_batch() -> None:
            async with engine.begin() as conn:
                await conn.execute(ADD, given)

        return {"loop": loop, "batch": in_batch}
