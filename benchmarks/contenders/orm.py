"""SQLAlchemy's ORM: mapped classes, and a session for each unit of work."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Numeric, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import DateTime

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.alchemy import async_engine, in_transactions, sync_engine
from benchmarks.place import Place
from benchmarks.rows import NewPerson


class Base(DeclarativeBase):
    """What SQLAlchemy knows of the tables."""


class _Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str | None]
    born: Mapped[dt.date]
    seen: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    balance: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    active: Mapped[bool]


class Person(_Columns, Base):
    """A row of `people`."""

    __tablename__ = "people"


class Added(_Columns, Base):
    """A row of `added`."""

    __tablename__ = "added"


class Sync:
    """Sessions on one connection."""

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
        with Session(self._conn) as session:
            return session.get(Person, key)

    def people(self, rows: int) -> list[Person]:
        with Session(self._conn) as session:
            return list(session.scalars(select(Person).order_by(Person.id).limit(rows)))

    def add(self, person: NewPerson) -> Added:
        with Session(self._conn, expire_on_commit=False) as session:
            added = Added(**person._asdict())
            session.add(added)
            session.commit()
            return added

    def set_balance(self, key: int, balance: Decimal) -> int:
        with Session(self._conn) as session:
            result: Any = session.execute(update(Person).where(Person.id == key).values(balance=balance))
            session.commit()
            return int(result.rowcount)

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        engine = self._conn.engine.execution_options(isolation_level="READ COMMITTED")
        given = [person._asdict() for person in people]

        def add_all() -> None:
            with Session(engine) as session:
                session.add_all(Added(**person) for person in given)
                session.commit()

        def bulk() -> None:
            with Session(engine) as session:
                session.execute(insert(Added), given)
                session.commit()

        return {"add_all": add_all, "batch": bulk}


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
        async with AsyncSession(self._conn) as session:
            return await session.get(Person, key)

    async def pooled_person(self, key: int) -> Person | None:
        async with AsyncSession(self._conn.engine) as session:
            return await session.get(Person, key)

    async def people(self, rows: int) -> list[Person]:
        async with AsyncSession(self._conn) as session:
            return list(await session.scalars(select(Person).order_by(Person.id).limit(rows)))

    async def add(self, person: NewPerson) -> Added:
        async with AsyncSession(self._conn, expire_on_commit=False) as session:
            added = Added(**person._asdict())
            session.add(added)
            await session.commit()
            return added

    async def set_balance(self, key: int, balance: Decimal) -> int:
        async with AsyncSession(self._conn) as session:
            result: Any = await session.execute(update(Person).where(Person.id == key).values(balance=balance))
            await session.commit()
            return int(result.rowcount)

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        engine = in_transactions(self._conn.engine)
        given = [person._asdict() for person in people]

        async def add_all() -> None:
            async with AsyncSession(engine) as session:
                session.add_all(Added(**person) for person in given)
                await session.commit()

        async def bulk() -> None:
            async with AsyncSession(engine) as session:
                await session.execute(insert(Added), given)
                await session.commit()

        return {"add_all": add_all, "batch": bulk}
