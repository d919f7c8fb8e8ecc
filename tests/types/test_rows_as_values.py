"""Rows as values: row types of tables, anonymous records, and cursors that return rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_type_hints

import psycopg
import pytest

from tests.support.annotations import result_fits
from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS text;
CREATE SCHEMA crm;
CREATE TABLE crm.users (id int PRIMARY KEY, name text NOT NULL, gone text, mail email NOT NULL, mood mood NOT NULL, tags jsonb[]);
ALTER TABLE crm.users DROP COLUMN gone;
CREATE TABLE audit (id int PRIMARY KEY, old crm.users, olds crm.users[] NOT NULL);
CREATE VIEW named AS SELECT id, name FROM crm.users;
CREATE FUNCTION user_of(int) RETURNS crm.users LANGUAGE sql AS $$ SELECT * FROM crm.users WHERE id = $1 $$;
CREATE FUNCTION users_of(int) RETURNS SETOF crm.users LANGUAGE sql AS $$ SELECT * FROM crm.users WHERE id > $1 $$;
CREATE FUNCTION name_of(u crm.users) RETURNS text LANGUAGE sql AS $$ SELECT u.name $$;
CREATE FUNCTION parts(n int, OUT a int, OUT b numeric) RETURNS record LANGUAGE sql AS $$ SELECT n, 1.5 $$;
CREATE FUNCTION pairs() RETURNS TABLE (a int, b text) LANGUAGE sql AS $$ VALUES (1, 'x'), (NULL, NULL) $$;
CREATE FUNCTION untyped() RETURNS record LANGUAGE sql AS $$ SELECT 1, 'a' $$;
CREATE FUNCTION either(OUT a anyelement, INOUT b anyelement) RETURNS record LANGUAGE sql AS $$ SELECT b, b $$;
CREATE TABLE stays (id int PRIMARY KEY, span interval, at int);
CREATE TYPE stay AS (span interval);
"""
QUERIES = """
-- name: add_audit :one
INSERT INTO audit (id, old, olds) VALUES (@id, @old, @olds) RETURNING *;

-- name: user :one
SELECT user_of(@id) AS v;

-- name: gathered :one
SELECT array_agg(u ORDER BY u.id) FROM crm.users u;

-- name: viewed :one
SELECT array_agg(n ORDER BY n.id) FROM named n;

-- name: all_null :one
SELECT row(NULL, NULL, NULL, NULL, NULL)::crm.users AS v;

-- name: name_of :one
SELECT name_of(@who::crm.users) AS v;

-- name: rec :one
SELECT row(id, name, (SELECT max(id) FROM audit), array[id, NULL], row('a'::text, 1.5)) FROM crm.users WHERE id = 1;

-- name: no_fields :one
SELECT row() AS v;

-- name: parts :one
SELECT parts(@n) AS v;

-- name: pairs :many
SELECT pairs() AS v;

-- name: gathered_records :one
SELECT array_agg(row(id, name) ORDER BY id) AS v FROM crm.users;

-- name: collected :one
SELECT array(SELECT row(id, name) FROM crm.users ORDER BY id) AS v;

-- name: through :many
WITH made AS (SELECT row(u.id, a.id) AS v FROM crm.users u LEFT JOIN audit a ON a.id = u.id)
SELECT s.v FROM (SELECT v FROM made) s;

-- name: absent :many
SELECT s.v FROM crm.users u LEFT JOIN LATERAL (SELECT row(a.id) AS v FROM audit a WHERE a.id = u.id) s ON true ORDER BY u.id;

-- name: grouped :many
SELECT row(name, count(*)) AS v FROM crm.users GROUP BY ROLLUP (name);

-- name: returned :many
UPDATE crm.users SET name = 'z' WHERE id = 1 RETURNING row(id, tags) AS v;

-- name: with_interval :one
SELECT row(interval '1 day') AS v;

-- name: lossy :one
SELECT row(interval '1 mon') AS v;

-- name: columns_of_cursor :execresult
SELECT id, name, mail, mood, tags, row(1), NULL::int AS nothing FROM crm.users ORDER BY id;

-- name: spans_of_cursor :execresult
SELECT id, span FROM stays;

-- name: stays_of_cursor :execresult
SELECT row(span)::stay AS s FROM stays;

-- name: cursor_without_columns :execresult
UPDATE stays SET at = 1;
"""
# Records of several shapes, or with fields that psycopg cannot load: each is `object`, with a warning.
UNKNOWN = {
    "two_shapes": "SELECT row(1) AS v UNION ALL SELECT row('a'::text)",
    "either_shape": "SELECT CASE WHEN id > 1 THEN row(1) ELSE row('a'::text) END AS v FROM crm.users",
    "literal": "SELECT row('a') AS v",
    "of_domain": "SELECT row(mail) AS v FROM crm.users",
    "of_enum": "SELECT row(mood) AS v FROM crm.users",
    "beside_text": "SELECT row(1) AS v, mood FROM crm.users",
    "undeclared": "SELECT untyped() AS v",
    "polymorphic": "SELECT either(1) AS v",
    "unlike": "SELECT array[row(1), row('a'::text)] AS v",
    "shapes_of_values": "SELECT * FROM (VALUES (row(1)), (row('a'::text))) AS x (v)",
}
SOURCE = declare(
    SCHEMA,
    QUERIES + "".join(f"\n-- name: {name} :many\n{query};\n" for name, query in UNKNOWN.items()),
    json={"crm.users.tags": "decimal.Decimal"},
)


@pytest.fixture(scope="module", params=["compiler", "debian_compiler"], ids=["newest", "oldest"])
def project(request: pytest.FixtureRequest) -> Project:
    compiler: Compiler = request.getfixturevalue(request.param)
    return compiler.compile(SOURCE)


@pytest.fixture
def conn(project: Project) -> Any:
    with project.connect() as connection:
        connection.execute("INSERT INTO crm.users VALUES (1, 'Ada', 'a@b', 'happy', '{1.5}'), (2, 'Bob', 'b@c', 'sad', NULL)")
        connection.execute("INSERT INTO stays VALUES (1, '1 day', 1)")
        yield connection


def user(project: Project) -> Any:
    return project.module("models").CrmUserValue(
        id=1, name="Ada", mail="a@b", mood=project.module("enums").Mood.HAPPY, tags=[Decimal("1.5")]
    )


def test_values_of_a_tables_row_type_come_back_as_they_were_sent(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries, ada = project.module("queries"), user(project)
    nobody = project.module("models").CrmUserValue(None, None, None, None, None)
    for number, old in enumerate((ada, nobody, None)):
        found = queries.add_audit(conn, id=number, old=old, olds=[ada, nobody])
        assert (found.old, found.olds) == (old, [ada, nobody])
        assert result_fits(queries.add_audit, found)
    assert queries.name_of(conn, who=ada) == "Ada"


@pytest.mark.parametrize("name", ["user", "gathered", "viewed", "all_null"])
def test_a_row_type_is_a_class_whose_fields_may_be_none(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    function = getattr(project.module("queries"), name)
    found = function(conn, **({"id": 1} if name == "user" else {}))
    assert found is not None
    assert result_fits(function, found)


def test_rows_of_a_table_and_values_of_its_row_type_are_two_classes(project: Project) -> None:
    models = project.module("models")
    assert get_type_hints(models.CrmUserValue)["name"] == str | None
    assert get_type_hints(models.Audit)["old"] == models.CrmUserValue | None


def test_async_values_of_a_row_type(project: Project) -> None:
    async def run() -> Any:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            await project.module("aio").register(conn)
            found = await project.module("aio.queries").add_audit(conn, id=1, old=user(project), olds=[])
            await conn.rollback()
            return found

    assert asyncio.run(run()).old == user(project)


def test_a_missing_registration_of_a_row_type_is_reported(project: Project) -> None:
    with project.connect(register=False) as conn, pytest.raises(TypeError, match=r"call typed_\d+.register"):
        project.module("queries").all_null(conn)


_RECORDS = {
    "rec": ("tuple[int, str, int | None, list[int | None], tuple[str, decimal.Decimal]] | None",
            (1, "Ada", None, [1, None], ("a", Decimal("1.5")))),
    "no_fields": ("tuple[()]", ()),
    "parts": ("tuple[int | None, decimal.Decimal | None] | None", (7, Decimal("1.5"))),
    "pairs": ("list[tuple[int | None, str | None] | None]", [(1, "x"), (None, None)]),
    "gathered_records": ("list[tuple[int, str]] | None", [(1, "Ada"), (2, "Bob")]),
    "collected": ("list[tuple[int, str]]", [(1, "Ada"), (2, "Bob")]),
    "through": ("list[tuple[int, int | None]]", [(1, None), (2, None)]),
    "absent": ("list[tuple[int] | None]", [None, None]),
    "grouped": ("list[tuple[str | None, int]]", [(None, 2), ("Ada", 1), ("Bob", 1)]),
    "with_interval": ("tuple[datetime.timedelta]", (timedelta(1),)),
}  # fmt: skip


@pytest.mark.parametrize("name", _RECORDS)
def test_an_anonymous_record_is_a_tuple(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    function = getattr(project.module("queries"), name)
    annotation, expected = _RECORDS[name]
    found = function(conn, **({"n": 7} if name == "parts" else {}))
    if name in {"grouped", "through"}:
        found = sorted(found, key=lambda record: str(record[0]) if record[0] else "")
    assert (str(get_type_hints(function)["return"]), found) == (annotation, expected)
    assert result_fits(function, found)


def test_a_record_of_returning_is_a_tuple(project: Project, conn: psycopg.Connection[Any]) -> None:
    (found,) = project.module("queries").returned(conn)
    assert found == (1, [1.5])


def test_months_in_a_record_are_refused_as_anywhere(project: Project, conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.DataError, match="a timedelta cannot hold the interval"):
        project.module("queries").lossy(conn)


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_record_that_may_have_several_shapes_is_object_with_a_warning(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    function = getattr(project.module("queries"), name)
    assert result_fits(function, function(conn))
    assert "object" in str(get_type_hints(function)["return"]) or hasattr(get_type_hints(function)["return"].__args__[0], "v")
    assert f"column `v` of query {name} has type record" in project.stderr


def test_a_cursor_is_typed_by_what_psycopg_loads(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries = project.module("queries")
    cursor = queries.columns_of_cursor(conn)
    assert str(get_type_hints(queries.columns_of_cursor)["return"]).endswith("[tuple[int, str, str, object, object, object, int | None]]")
    assert cursor.fetchone()[:3] == (1, "Ada", "a@b")
    assert str(get_type_hints(queries.cursor_without_columns)["return"]).endswith("[tuple[object, ...]]")
    assert queries.cursor_without_columns(conn).rowcount == 1


@pytest.mark.parametrize("name", ["spans_of_cursor", "stays_of_cursor"])
def test_a_cursor_loses_no_months(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    function = getattr(project.module("queries"), name)
    assert function(conn).fetchone()
    conn.execute("UPDATE stays SET span = '1 mon'")
    if name == "stays_of_cursor":
        # Nobody else needs this composite, so `register` does not teach it, and its text loses nothing.
        assert function(conn).fetchone() == ('("1 mon")',)
        return
    with pytest.raises(psycopg.DataError, match="a timedelta cannot hold the interval"):
        function(conn).fetchone()
