"""What the signatures of generated functions promise, and what they forbid."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from sqlwright.options import Clients

RunTool = Callable[..., str]

_ACCEPTED = """
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
"""

_REFUSED = """
from typing import Any

from psycopg import AsyncConnection, Connection

from sample_both import echoes, moods, people, register
from sample_both.aio import people as aio_people
from sample_both.enums import Mood


async def refused(conn: Connection[Any], aconn: AsyncConnection[Any]) -> None:
    people.get_person(conn, 1)  # call-arg
    people.get_person(conn, id="1")  # arg-type
    people.get_person(conn)  # call-arg
    people.get_person(aconn, id=1)  # arg-type
    people.get_person(conn, id=1).name  # union-attr
    people.rename_person(conn, id=1, name=None)  # arg-type
    moods.has_mood(conn, moods=["sad"])  # list-item
    moods.set_mood(conn, person=1, current="sad", wanted=None, past=[], planned=None)  # arg-type
    moods.echo_moods(conn, moods=[None])  # list-item
    echoes.echo_jsonb(conn, payload={1: 2})  # dict-item
    echoes.echo_jsonb(conn, payload=object())  # arg-type
    echoes.echo_point(conn, place=1).x  # attr-defined
    (await aio_people.list_people(conn))  # arg-type
    for person in people.list_people(conn):
        person.nickname = ""  # attr-defined
    register(aconn)  # arg-type
    people.copy_people(conn, [1])  # list-item
    people.drop_people(conn, people.DropPeopleParams(id=1))  # arg-type
    people.CopyPeopleParams(name=None)  # arg-type
    people.Querier(aconn)  # arg-type
"""


def test_signatures_are_exactly_what_the_proof_says(rendered: Path, run_tool: RunTool, tmp_path: Path) -> None:
    (tmp_path / "accepted.py").write_text(_ACCEPTED)
    (tmp_path / "sample_both").symlink_to(rendered / f"sample_{Clients.BOTH}")
    output = run_tool(tmp_path, "mypy", "--strict", "--config-file=", "accepted.py")
    assert output.splitlines()[-1] == "exit 0", output
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "pythonVersion": "3.11"}')
    output = run_tool(tmp_path, "pyright", "--pythonpath", sys.executable, "accepted.py")
    assert output.splitlines()[-1] == "exit 0", output


def test_wrong_calls_do_not_type_check(rendered: Path, run_tool: RunTool, tmp_path: Path) -> None:
    (tmp_path / "refused.py").write_text(_REFUSED)
    (tmp_path / "sample_both").symlink_to(rendered / f"sample_{Clients.BOTH}")
    output = run_tool(tmp_path, "mypy", "--strict", "--config-file=", "--no-error-summary", "--hide-error-context", "refused.py")
    found = {(line.split(":")[1], line.rsplit("[", 1)[1][:-1]) for line in output.splitlines() if ": error:" in line}
    expected = {
        (str(number), code)
        for number, line in enumerate(_REFUSED.splitlines(), start=1)
        if "  # " in line
        for code in line.rsplit("  # ", 1)[1].split(", ")
    }
    assert found == expected, output
