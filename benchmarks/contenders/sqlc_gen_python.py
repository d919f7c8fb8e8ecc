"""The form of what sqlc-gen-python 1.3 emits: SQLAlchemy's `text` over psycopg, rows built by keyword, and an async `:many` that streams.

It has neither batches nor COPY. Where it takes an object of parameters, it gets the existing one, whatever its class.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pydantic
import sqlalchemy
import sqlalchemy.ext.asyncio

from benchmarks.contenders import AwaitedInsert, Insert
from benchmarks.contenders.alchemy import async_engine, in_transactions, sync_engine
from benchmarks.place import Place
from benchmarks.rows import NewPerson

GET_PERSON = r"""-- name: get_person \:one
SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = :p1
"""
LIST_PEOPLE = r"""-- name: list_people \:many
SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT :p1
"""
ADD_PERSON = r"""-- name: add_person \:one
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (:p1, :p2, :p3, :p4, :p5, :p6, :p7)
RETURNING id, name, email, phone, born, seen, balance, active
"""
ADD_UNSEEN = r"""-- name: add_unseen \:exec
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (:p1, :p2, :p3, :p4, :p5, :p6, :p7)
"""
SET_BALANCE = r"""-- name: set_balance \:execrows
UPDATE people SET balance = :p2 WHERE id = :p1
"""


@dataclasses.dataclass()
class Person:
    """A row."""

    id: int
    name: str
    email: str
    phone: str | None
    born: dt.date
    seen: dt.datetime
    balance: decimal.Decimal
    active: bool


class PydanticPerson(pydantic.BaseModel):
    """A row with `emit_pydantic_models`."""

    id: int
    name: str
    email: str
    phone: str | None
    born: dt.date
    seen: dt.datetime
    balance: decimal.Decimal
    active: bool


def made(model: Any, row: Any) -> Any:
    """As emitted after every execute."""
    return model(id=row[0], name=row[1], email=row[2], phone=row[3], born=row[4], seen=row[5], balance=row[6], active=row[7])


class Querier:
    """As emitted, except for the model, which is a parameter."""

    def __init__(self, conn: sqlalchemy.engine.Connection, model: Any) -> None:
        self._conn, self._model = conn, model

    def get_person(self, *, id: int) -> Any:
        row = self._conn.execute(sqlalchemy.text(GET_PERSON), {"p1": id}).first()
        if row is None:
            return None
        return made(self._model, row)

    def list_people(self, *, limit: int) -> Iterator[Any]:
        result = self._conn.execute(sqlalchemy.text(LIST_PEOPLE), {"p1": limit})
        for row in result:
            yield made(self._model, row)

    def add_person(self, arg: NewPerson) -> Any:
        row = self._conn.execute(sqlalchemy.text(ADD_PERSON), _given(arg)).first()
        if row is None:
            return None
        return made(self._model, row)

    def add_unseen(self, arg: NewPerson) -> None:
        self._conn.execute(sqlalchemy.text(ADD_UNSEEN), _given(arg))

    def set_balance(self, *, id: int, balance: decimal.Decimal) -> int:
        result = self._conn.execute(sqlalchemy.text(SET_BALANCE), {"p1": id, "p2": balance})
        return int(result.rowcount)


class AsyncQuerier:
    """Like `Querier`, awaited."""

    def __init__(self, conn: sqlalchemy.ext.asyncio.AsyncConnection, model: Any) -> None:
        self._conn, self._model = conn, model

    async def get_person(self, *, id: int) -> Any:
        row = (await self._conn.execute(sqlalchemy.text(GET_PERSON), {"p1": id})).first()
        if row is None:
            return None
        return made(self._model, row)

    async def list_people(self, *, limit: int) -> AsyncIterator[Any]:
        result = await self._conn.stream(sqlalchemy.text(LIST_PEOPLE), {"p1": limit})
        async for row in result:
            yield made(self._model, row)

    async def add_person(self, arg: NewPerson) -> Any:
        row = (await self._conn.execute(sqlalchemy.text(ADD_PERSON), _given(arg))).first()
        if row is None:
            return None
        return made(self._model, row)

    async def add_unseen(self, arg: NewPerson) -> None:
        await self._conn.execute(sqlalchemy.text(ADD_UNSEEN), _given(arg))

    async def set_balance(self, *, id: int, balance: decimal.Decimal) -> int:
        result = await self._conn.execute(sqlalchemy.text(SET_BALANCE), {"p1": id, "p2": balance})
        return int(result.rowcount)


def _given(arg: NewPerson) -> dict[str, object]:
    return {
        "p1": arg.name,
        "p2": arg.email,
        "p3": arg.phone,
        "p4": arg.born,
        "p5": arg.seen,
        "p6": arg.balance,
        "p7": arg.active,
    }


class Sync:
    """Over a connection of SQLAlchemy's."""

    model: Any = Person

    def __init__(self, conn: sqlalchemy.engine.Connection) -> None:
        self._conn, self._querier = conn, Querier(conn, self.model)

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Sync]:
        """Connect."""
        engine = sync_engine(place.url)
        with engine.connect() as conn:
            yield cls(conn)
        engine.dispose()

    def person(self, key: int) -> Any:
        return self._querier.get_person(id=key)

    def people(self, rows: int) -> list[Any]:
        return list(self._querier.list_people(limit=rows))

    def add(self, person: NewPerson) -> Any:
        return self._querier.add_person(person)

    def set_balance(self, key: int, balance: decimal.Decimal) -> int:
        return self._querier.set_balance(id=key, balance=balance)

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        engine = self._conn.engine.execution_options(isolation_level="READ COMMITTED")

        def loop() -> None:
            with engine.begin() as conn:
                querier = Querier(conn, self.model)
                for person in people:
                    querier.add_unseen(person)

        return {"loop": loop}


class PydanticSync(Sync):
    """With `emit_pydantic_models`."""

    model = PydanticPerson


class Async:
    """Like `Sync`, awaited."""

    model: Any = Person

    def __init__(self, conn: sqlalchemy.ext.asyncio.AsyncConnection, streaming: sqlalchemy.ext.asyncio.AsyncConnection) -> None:
        self._conn, self._querier = conn, AsyncQuerier(conn, self.model)
        self._streaming = AsyncQuerier(streaming, self.model)

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Async]:
        """Connect; the engine has a pool. SQLAlchemy streams from a server-side cursor, which needs a transaction."""
        engine = async_engine(place.url)
        async with engine.connect() as conn, in_transactions(engine).connect() as streaming:
            yield cls(conn, streaming)
        await engine.dispose()

    async def person(self, key: int) -> Any:
        return await self._querier.get_person(id=key)

    async def pooled_person(self, key: int) -> Any:
        async with self._conn.engine.connect() as conn:
            return await AsyncQuerier(conn, self.model).get_person(id=key)

    async def people(self, rows: int) -> list[Any]:
        return [row async for row in self._streaming.list_people(limit=rows)]

    async def add(self, person: NewPerson) -> Any:
        return await self._querier.add_person(person)

    async def set_balance(self, key: int, balance: decimal.Decimal) -> int:
        return await self._querier.set_balance(id=key, balance=balance)

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        engine = in_transactions(self._conn.engine)

        async def loop() -> None:
            async with engine.begin() as conn:
                querier = AsyncQuerier(conn, self.model)
                for person in people:
                    await querier.add_unseen(person)

        return {"loop": loop}


class PydanticAsync(Async):
    """With `emit_pydantic_models`."""

    model = PydanticPerson
