"""Calls of generated functions: what comes back is exactly what the proof says."""

import datetime
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from decimal import Decimal
from typing import Any, assert_type
from uuid import UUID

from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor
from psycopg_pool import AsyncConnectionPool, ConnectionPool

import sample_both
import sample_both.aio
from sample_both import echoes, moods, people
from sample_both.aio import moods as aio_moods
from sample_both.aio import people as aio_people
from sample_both.enums import Mood
from sample_both.models import JsonValue, Person, PersonMood


def sync(conn: Connection[Any]) -> None:
    made = people.create_person(conn, name="a", born=None, salary=Decimal(1), profile={"a": [1, None, {"b": 1.5}]})
    assert_type(made, Person)
    assert_type(made.born, datetime.date | None)
    assert_type(made.profile, JsonValue | None)
    assert_type(people.get_person(conn, id=1), Person | None)
    assert_type(people.list_people(conn), list[Person])
    assert_type(people.rename_person(conn, id=1, name="b"), int)
    assert_type(people.find_people(conn, ids=[1]), RawCursor[tuple[object, ...]])
    assert_type(people.count_people(conn), int)
    assert_type(people.person_names(conn), list[str])
    assert_type(people.person_born(conn, id=1), datetime.date | None)
    assert_type(people.stats(conn).average, Decimal | None)
    assert_type(people.copy_people(conn, (people.CopyPeopleParams(name) for name in "ab")), int)
    people.drop_people(conn, [people.DropPeopleParams(id=1)])
    assert_type(people.find_all(conn, (people.FindAllParams(1),)), list[Person | None])
    assert_type(people.names_of(conn, []), list[list[str]])
    with closing(people.stream_people(conn)) as rows:
        for row in rows:
            assert_type(row, Person)
    assert_type(people.Querier(conn).get_person(id=1), Person | None)
    assert_type(people.Querier(conn).list_people(), Iterator[Person])
    assert_type(moods.get_mood(conn, person=1), PersonMood | None)
    assert_type(moods.wanted_moods(conn), list[Mood | None])
    assert_type(moods.past_moods(conn, person=1), list[Mood] | None)
    assert_type(echoes.echo_uuids(conn, ids=[]), list[UUID])
    assert_type(echoes.echo_point(conn, place="(1,2)"), object)
    ConnectionPool(configure=sample_both.register)
    moods.echo_moods(conn, moods=list(Mood))


async def given() -> AsyncIterator[people.CopyPeopleParams]:
    yield people.CopyPeopleParams("a")


async def asynchronous(conn: AsyncConnection[Any]) -> None:
    assert_type(await aio_people.list_people(conn), list[Person])
    assert_type(await aio_people.copy_people(conn, given()), int)
    assert_type(await aio_people.find_all(conn, []), list[Person | None])
    async with aclosing(aio_people.stream_people(conn)) as rows:
        async for row in rows:
            assert_type(row, Person)
    assert_type(people.AsyncQuerier(conn).list_people(), AsyncIterator[Person])
    assert_type(await people.AsyncQuerier(conn).get_person(id=1), Person | None)
    assert_type(await aio_people.stats(conn), people.StatsRow)
    assert_type(await aio_people.find_people(conn, ids=[1]), AsyncRawCursor[tuple[object, ...]])
    assert_type(await aio_moods.current_moods(conn), list[Mood])
    AsyncConnectionPool(configure=sample_both.aio.register)
