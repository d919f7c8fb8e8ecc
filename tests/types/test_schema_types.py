"""Types that a schema makes: enums, domains, composites, ranges, and all of them inside each other."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'very happy');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN work_email AS email;
CREATE DOMAIN tags AS text[];
CREATE SCHEMA geo;
CREATE TYPE geo.address AS (street text, "from" int, moods mood[], data jsonb, mail work_email, period int8range, labels tags);
CREATE TYPE person AS (name text, home geo.address, others geo.address[]);
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE TYPE single AS (value text);
CREATE TABLE residents (
    id int PRIMARY KEY, who person NOT NULL, homes geo.address[] NOT NULL, mail email NOT NULL, mails email[], labels tags NOT NULL,
    f floatrange NOT NULL, fs floatrange[], fm floatmultirange, s single, moods mood[]
);
"""
QUERIES = """
-- name: add :one
INSERT INTO residents (id, who, homes, mail, mails, labels, f, fs, fm, s, moods)
VALUES (@id, @who, @homes, @mail, @mails, @labels, @f, @fs, @fm, @s, @moods) RETURNING *;

-- name: homes :many
SELECT (who).home FROM residents;

-- name: set_home :execrows
UPDATE residents SET who.home = @home WHERE id = @id;

-- name: wanted :many
SELECT id FROM residents WHERE mail = ANY(@mails::email[]) OR s = @s::single;
"""
SOURCE = declare(SCHEMA, QUERIES)


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


def row(project: Project) -> dict[str, Any]:
    models, mood = project.module("models"), project.module("enums").Mood
    address = models.GeoAddress(
        street='O\'Neil "x", \\ (y)',
        from_=1,
        moods=[mood.VERY_HAPPY],
        data={"a": [1, None]},
        mail="a@b",
        period=Range(1, 2**40),
        labels=["a"],
    )
    bare = models.GeoAddress(street=None, from_=None, moods=None, data=None, mail=None, period=None, labels=None)
    return {
        "id": 1,
        "who": models.Person(name="", home=address, others=[address, bare]),
        "homes": [bare, address],
        "mail": "a@b",
        "mails": ["a@b", "c@d"],
        "labels": ["x,y", ""],
        "f": Range(0.5, 1.5),
        "fs": [Range(0.5, None, "[)"), Range(empty=True)],
        "fm": Multirange([Range(0.5, 1.5)]),
        "s": models.Single(value=None),
        "moods": [mood.SAD],
    }


def test_everything_comes_back_as_it_was_sent(project: Project) -> None:
    with project.connect() as conn:
        sent = row(project)
        found = project.module("queries").add(conn, **sent)
        assert {name: getattr(found, name) for name in sent} == sent
        assert type(found.who.home.moods[0]) is project.module("enums").Mood


def test_async_registration_does_the_same(project: Project) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            await project.module("aio").register(conn)
            sent = row(project)
            found = await project.module("aio.queries").add(conn, **sent)
            assert {name: getattr(found, name) for name in sent} == sent
            await conn.rollback()

    asyncio.run(run())


def test_a_field_of_a_composite_is_a_value_like_any_other(project: Project) -> None:
    queries = project.module("queries")
    with project.connect() as conn:
        sent = row(project)
        queries.add(conn, **sent)
        assert queries.homes(conn) == [sent["who"].home]
        assert queries.set_home(conn, home=sent["homes"][0], id=1) == 1
        assert queries.homes(conn) == [sent["homes"][0]]
        assert queries.wanted(conn, mails=["x@y"], s=project.module("models").Single(value="no")) == []


def test_a_missing_registration_is_reported(project: Project) -> None:
    with project.connect(register=False) as conn, pytest.raises(TypeError, match=r"call typed_\d+.register .* on this connection first"):
        project.module("queries").add(conn, **row(project))


def test_a_type_that_the_database_lacks_is_named(project: Project) -> None:
    with project.connect(register=False) as conn:
        conn.execute("DROP TABLE residents; DROP TYPE person")
        with pytest.raises(LookupError, match=r"the database has no type public\.person"):
            project.module().register(conn)


def test_a_composite_that_has_changed_is_named(project: Project) -> None:
    with project.connect(register=False) as conn:
        conn.execute("ALTER TYPE single ADD ATTRIBUTE other int")
        with pytest.raises(LookupError, match=r"type public\.single has attributes \['value', 'other'\], not \['value'\]"):
            project.module().register(conn)


def test_registration_is_of_one_connection_only(project: Project) -> None:
    before = psycopg.adapters.types.get("mood"), psycopg.adapters.types.get("person")
    with project.connect():
        assert (psycopg.adapters.types.get("mood"), psycopg.adapters.types.get("person")) == before == (None, None)


def test_registration_leaves_a_connection_outside_of_a_transaction(project: Project) -> None:
    with psycopg.connect(project.conninfo) as conn:
        project.module().register(conn)
        assert conn.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def test_two_packages_do_not_teach_one_connection_the_same_type(project: Project, compiler: Compiler) -> None:
    other = compiler.compile(SOURCE)
    with project.connect() as conn:
        project.module().register(conn)
        with pytest.raises(RuntimeError, match=r"this connection already loads public\.mood as <enum 'Mood'>"):
            other.module().register(conn)
        sent = row(project)
        assert project.module("queries").add(conn, **sent).who == sent["who"]


def test_a_composite_that_the_connection_knows_as_another_class_is_refused(project: Project) -> None:
    with project.connect(register=False) as conn:
        info = CompositeInfo.fetch(conn, "single")
        assert info is not None
        register_composite(info, conn)
        with pytest.raises(RuntimeError, match=r"this connection already loads public\.single as <class '.*single'>"):
            project.module().register(conn)
