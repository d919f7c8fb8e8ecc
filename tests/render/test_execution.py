"""Generated packages, imported and run on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import inspect
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

_SCHEMA = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE TYPE mood AS ENUM ('sad', 'very happy, "x"', 'name');
CREATE TABLE people (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    born date,
    salary numeric NOT NULL,
    profile jsonb
);
CREATE TABLE moods (
    person int8 PRIMARY KEY,
    current mood NOT NULL,
    wanted mood,
    past mood[] NOT NULL,
    planned mood[]
);
"""


@pytest.fixture(scope="module")
def database(proof_server: str) -> Iterator[str]:
    """The URL of a database of our own."""
    with psycopg.connect(proof_server, autocommit=True) as conn:
        conn.execute("CREATE DATABASE render STRATEGY FILE_COPY")
    yield make_conninfo(proof_server, dbname="render")
    with psycopg.connect(proof_server, autocommit=True) as conn:
        conn.execute("DROP DATABASE render WITH (FORCE)")


@pytest.fixture
def url(database: str) -> str:
    """The URL of the database with fresh, empty tables."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("SET client_min_messages = warning")
        conn.execute(_SCHEMA)
    return database


class Package:
    """Calls the functions of a generated package by name, whichever colour they have."""

    def __init__(self, name: str, conn: Any, root: str) -> None:
        self._name, self._root, self.conn = name, root, conn

    def module(self, name: str) -> Any:
        """A module that both colours share."""
        return importlib.import_module(f"{self._root}.{name}" if name else self._root)

    async def __call__(self, function: str, **arguments: object) -> Any:
        """Call `module.function` with the connection and return its result."""
        module, _, name = function.rpartition(".")
        found = getattr(importlib.import_module(f"{self._name}.{module}" if module else self._name), name)
        result = found(self.conn, **arguments)
        return await result if inspect.isawaitable(result) else result


@pytest.fixture(params=["sample_sync", "sample_async", "sample_both", "sample_both.aio"])
async def package(request: pytest.FixtureRequest, on_path: Path, url: str) -> AsyncIterator[Package]:
    """A generated package of each colour with a connection, outside of a transaction; nothing is registered."""
    name = str(request.param)
    root = name.removesuffix(".aio")
    if name in {"sample_async", "sample_both.aio"}:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as aconn:
            yield Package(name, aconn, root)
    else:
        with psycopg.connect(url, autocommit=True) as conn:
            yield Package(name, conn, root)


async def _person(package: Package, **changes: object) -> Any:
    values: dict[str, object] = {"name": "Ada", "born": dt.date(1815, 12, 10), "salary": Decimal("1.50"), "profile": None}
    return await package("people.create_person", **values | changes)


async def test_one_returns_the_row_or_none(package: Package) -> None:
    ada = await _person(package)
    assert ada == package.module("models").Person(ada.id, "Ada", dt.date(1815, 12, 10), Decimal("1.50"), None)
    assert await package("people.get_person", id=ada.id) == ada
    assert await package("people.get_person", id=0) is None


async def test_many_returns_a_list_of_rows(package: Package) -> None:
    assert await package("people.list_people") == []
    people = [await _person(package, name=name) for name in "ab"]
    assert await package("people.list_people") == people
    assert await package("people.person_names") == ["a", "b"]


async def test_exec_returns_none_and_execrows_the_number_of_rows(package: Package) -> None:
    ada = await _person(package)
    assert await package("people.rename_person", id=ada.id, name="Augusta") == 1
    assert await package("people.rename_person", id=0, name="Augusta") == 0
    assert await package("people.delete_people") is None
    assert await package("people.count_people") == 0


async def test_execresult_returns_a_cursor_of_tuples(package: Package) -> None:
    ada = await _person(package, name="a_b")
    cursor = await package("people.find_people", ids=[])
    row = cursor.fetchone()
    assert (await row if inspect.isawaitable(row) else row)[:2] == (ada.id, "a_b")


async def test_a_nullable_column_may_be_null_and_a_missing_row_is_none_too(package: Package) -> None:
    ada = await _person(package, born=None)
    assert await package("people.person_born", id=ada.id) is None
    assert (await package("people.stats")).names == ["Ada"]


async def test_the_row_factory_of_the_connection_does_not_matter(package: Package) -> None:
    package.conn.row_factory = dict_row
    await _person(package)
    assert await package("people.person_names") == ["Ada"]


async def test_json_goes_both_ways_and_none_is_null_where_null_is_allowed(package: Package) -> None:
    value = {"a": [1, None, {"b": 1.5}], "c": "%s $1"}
    assert (await _person(package, profile=value)).profile == value
    assert await package("echoes.echo_json", payload=value) == value
    assert await package("echoes.echo_json", payload=None) is None
    assert await package("echoes.echo_jsonb", payload=None) is None
    assert await package("echoes.echo_jsonbs", payloads=[value, None, 1]) == [value, None, 1]
    assert await package("echoes.echo_jsonbs", payloads=[]) == []


async def test_a_null_json_parameter_is_sql_null(package: Package, url: str) -> None:
    await _person(package, profile=None)
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT profile IS NULL FROM people").fetchone() == (True,)


async def test_types_without_a_python_type_are_as_psycopg_loads_them(package: Package) -> None:
    assert await package("echoes.echo_point", place="(1,2)") == "(1,2)"
    assert await package("echoes.echo_points", place="(1,2)") == ["(1,2)"]


async def test_binary_values_keep_their_precision(package: Package) -> None:
    ids = [UUID(int=1), UUID(int=2**128 - 1)]
    assert await package("echoes.echo_uuids", ids=ids) == ids
    values = {
        "at": dt.datetime(2024, 2, 29, 23, 59, 59, 999999, dt.UTC),
        "span": dt.timedelta(days=-3, microseconds=1),
        "day_time": dt.time(1, 2, 3, 4),
        "body": b"\x00\xff\\",
        "ratio": 0.1,
    }
    row = await package("echoes.echo_many", **values)
    assert {name: getattr(row, name) for name in values} == values


async def _set_mood(package: Package) -> Any:
    mood = package.module("enums").Mood
    return await package(
        "moods.set_mood", person=1, current=mood.VERY_HAPPY_X, wanted=None, past=[mood.SAD, mood.VERY_HAPPY_X], planned=None
    )


@pytest.mark.parametrize("registered", [False, True])
async def test_scalar_enums_need_no_registration(package: Package, registered: bool) -> None:
    mood = package.module("enums").Mood
    if registered:
        await package("register")
    # The row has an enum array too: it is stored, and cannot be read back yet.
    with contextlib.nullcontext() if registered else pytest.raises(TypeError):
        await _set_mood(package)
    (current,) = await package("moods.current_moods")
    assert current is mood.VERY_HAPPY_X
    assert await package("moods.wanted_moods") == [None]
    assert await package("moods.wanted_mood", person=1) is None
    assert await package("moods.wanted_mood_surely") is None


@pytest.mark.parametrize("registered", [False, True])
async def test_enum_arrays_can_be_sent_without_registration(package: Package, registered: bool) -> None:
    mood = package.module("enums").Mood
    if registered:
        await package("register")
    for moods in ([], [mood.SAD], [mood.VERY_HAPPY_X, mood.NAME]):
        assert await package("moods.has_mood", moods=moods) == []


async def test_enum_arrays_are_lists_of_members_once_registered(package: Package) -> None:
    await package("register")
    mood = package.module("enums").Mood
    row = await _set_mood(package)
    assert (row.past, row.planned, row.current, row.wanted) == ([mood.SAD, mood.VERY_HAPPY_X], None, mood.VERY_HAPPY_X, None)
    assert all(type(member) is mood for member in row.past)
    assert await package("moods.echo_moods", moods=[]) == []
    assert await package("moods.list_moods") == [row]
    assert await package("moods.past_moods", person=1) == row.past
    assert await package("moods.past_moods", person=2) is None


async def test_a_forgotten_registration_is_an_error_that_names_the_cure(package: Package) -> None:
    root = package.module("").__name__
    with pytest.raises(TypeError, match=rf"call {root}\.register.* on this connection first"):
        await package("moods.echo_moods", moods=[])


async def test_register_touches_its_own_connection_only(package: Package, url: str) -> None:
    await package("register")
    with psycopg.connect(url) as other:
        assert other.execute("SELECT '{sad}'::mood[]").fetchone() == ("{sad}",)


@pytest.mark.parametrize("autocommit", [False, True])
async def test_register_leaves_the_transaction_as_it_was(package: Package, autocommit: bool) -> None:
    changed = package.conn.set_autocommit(autocommit)
    if inspect.isawaitable(changed):
        await changed
    await package("register")
    assert package.conn.info.transaction_status == TransactionStatus.IDLE


async def test_register_inside_a_transaction_stays_inside(package: Package) -> None:
    begun = package.conn.execute("BEGIN")
    if inspect.isawaitable(begun):
        await begun
    await package("register")
    assert package.conn.info.transaction_status == TransactionStatus.INTRANS


async def test_register_names_an_enum_that_the_database_lacks(package: Package) -> None:
    dropped = package.conn.execute("DROP TYPE mood CASCADE")
    if inspect.isawaitable(dropped):
        await dropped
    with pytest.raises(LookupError, match=r"no type public\.mood"):
        await package("register")


def test_register_fits_a_pool(on_path: Path, url: str) -> None:
    sample = importlib.import_module("sample_both")
    moods, enums = importlib.import_module("sample_both.moods"), importlib.import_module("sample_both.enums")
    with ConnectionPool(url, min_size=1, max_size=1, configure=sample.register, open=True) as pool, pool.connection(timeout=10) as conn:
        assert moods.echo_moods(conn, moods=[enums.Mood.SAD]) == [enums.Mood.SAD]


async def test_async_register_fits_a_pool(on_path: Path, url: str) -> None:
    aio = importlib.import_module("sample_both.aio")
    moods, enums = importlib.import_module("sample_both.aio.moods"), importlib.import_module("sample_both.enums")
    async with (
        AsyncConnectionPool(url, min_size=1, max_size=1, configure=aio.register, open=False) as pool,
        pool.connection(timeout=10) as conn,
    ):
        assert await moods.echo_moods(conn, moods=[enums.Mood.SAD]) == [enums.Mood.SAD]


@pytest.mark.parametrize("name", ["hostile_sync", "hostile_async", "hostile_both", "long_both"])
def test_modules_with_taken_names_import(on_path: Path, name: str) -> None:
    for file in sorted((on_path / name).rglob("*.py")):
        importlib.import_module(".".join(file.relative_to(on_path).with_suffix("").parts).removesuffix(".__init__"))
    if not name.startswith("long"):
        assert [member.value for member in importlib.import_module(f"{name}.enums").Mood][:3] == ["name", "value", "mro"]


def test_both_colours_share_row_classes_and_sql(on_path: Path) -> None:
    people, aio = importlib.import_module("sample_both.people"), importlib.import_module("sample_both.aio.people")
    assert people.StatsRow is aio.StatsRow
    assert people.STATS is aio.STATS


def test_the_constant_is_the_proven_sql(on_path: Path) -> None:
    people = importlib.import_module("sample_both.people")
    assert people.FIND_PEOPLE.endswith("WHERE name LIKE '%\\_%' OR id = ANY($1::int8[])\n")
