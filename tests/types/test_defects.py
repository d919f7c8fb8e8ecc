"""What sqlc infers wrongly, and what the strongest rival gets wrong, run on real rows: the annotation is true of what comes back.

Aggregates, subqueries, outer joins, set operations, jsonb, arrays, functions, VALUES: found with sqlc 1.31.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from pydantic import TypeAdapter

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN present AS text NOT NULL;
CREATE TABLE users (
    id int PRIMARY KEY, name text NOT NULL, nick text, moods mood[] NOT NULL DEFAULT '{}', data jsonb NOT NULL DEFAULT '{}', d present
);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, price numeric NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION cheap(below numeric) RETURNS TABLE (id int, price numeric) LANGUAGE sql
AS $$ SELECT o.id, o.price FROM orders o WHERE o.price < below $$;
"""
_AT = datetime(2024, 1, 1, tzinfo=UTC)
# Name, SQL, parameters, the annotation of the result, and the result with the two users and the one order of the fixture.
_CASES: list[tuple[str, str, dict[str, Any], str, Any]] = [
    ("max_of_none", ":one SELECT max(price) FROM orders WHERE false", {},
     "decimal.Decimal | None", None),
    ("min_of_some", ":one SELECT min(name) FROM users", {},
     "str | None", "Ada"),
    ("array_agg", ":one SELECT array_agg(nick ORDER BY id) FROM users", {},
     "list[str | None] | None", ["al", None]),
    ("sum_numeric", ":one SELECT sum(price) FROM orders", {},
     "decimal.Decimal | None", Decimal("1.50")),
    ("string_agg", ":one SELECT string_agg(name, ',' ORDER BY id) FROM users", {},
     "str | None", "Ada,Bob"),
    ("nulled", ":many SELECT nullif(name, 'Bob') FROM users ORDER BY id", {},
     "list[str | None]", ["Ada", None]),
    ("doubled", ":many SELECT price * 2 FROM orders", {},
     "list[decimal.Decimal]", [Decimal("3.00")]),
    ("a_day_before", ":many SELECT at - interval '1 day' FROM orders", {},
     "list[datetime.datetime]", [_AT - timedelta(1)]),
    ("subquery", ":many SELECT (SELECT price FROM orders WHERE user_id = users.id) FROM users ORDER BY id", {},
     "list[decimal.Decimal | None]",
     [Decimal("1.50"), None]),
    ("joined",
     ":many SELECT o.price FROM users LEFT JOIN (SELECT user_id, price FROM orders) o ON o.user_id = users.id ORDER BY users.id", {},
     "list[decimal.Decimal | None]", [Decimal("1.50"), None]),
    ("lateral",
     ":many SELECT o.p FROM users LEFT JOIN LATERAL (SELECT price AS p FROM orders WHERE user_id = users.id) o ON true ORDER BY users.id",
     {}, "list[decimal.Decimal | None]", [Decimal("1.50"), None]),
    ("floats", ":one SELECT @v::float8[] AS v", {"v": [1, 0.5, True]}, "list[float]", [1.0, 0.5, 1.0]),
    ("matrix", ":one SELECT @v::float4[][] AS v", {"v": [[1, 0.5]]}, "list[list[float]]", [[1.0, 0.5]]),
    ("coalesced", ":many SELECT coalesce(nick, NULL) FROM users ORDER BY id", {},
     "list[str | None]", ["al", None]),
    ("union_null", ":many SELECT name FROM users WHERE id = 1 UNION ALL SELECT NULL", {},
     "list[str | None]", ["Ada", None]),
    ("rolled_up", ":many SELECT name, count(*) AS n FROM users GROUP BY ROLLUP (name) ORDER BY name NULLS LAST LIMIT 3", {},
     "name: str | None",
     [("Ada", 1), ("Bob", 1), (None, 2)]),
    ("lagged", ":many SELECT lag(name) OVER (ORDER BY id) FROM users ORDER BY id", {},
     "list[str | None]", [None, "Ada"]),
    ("echoed", ":one SELECT sqlc.narg(q)::text", {"q": None}, "str | None", None),
    ("operators", ":many SELECT data -> 'a' ->> 'b' FROM users ORDER BY id", {},
     "list[str | None]", ["c", None]),
    ("made_array", ":one SELECT ARRAY[1, 2]", {},
     "list[int]", [1, 2]),
    ("subscript", ":many SELECT moods[1] FROM users ORDER BY id", {},
     "list[Mood | None]", ["happy", None]),
    ("cases", ":many SELECT CASE WHEN id = 1 THEN name END FROM users ORDER BY id", {},
     "list[str | None]", ["Ada", None]),
    ("table_function", ":many SELECT * FROM cheap(@below)", {"below": Decimal(9)}, "id: int | None", [(1, Decimal("1.50"))]),
    ("strict_domain", ":many SELECT d FROM users ORDER BY id", {},
     "list[str | None]", ["x", "y"]),
    ("given", ":many SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v (n, t)", {},
     "t: str | None", [(1, "a"), (2, None)]),
    ("nested", ":many SELECT a.name FROM users a JOIN orders b ON b.user_id = a.id RIGHT JOIN users c ON c.id = a.id ORDER BY c.id", {},
     "list[str | None]", ["Ada", None]),
    ("enum_arrays", ":many SELECT moods FROM users ORDER BY id", {},
     "list[list[Mood]]", [["happy"], []]),
    ("In", ":one SELECT name FROM users WHERE id = @class", {"class_": 1}, "str | None", "Ada"),
]  # fmt: skip
_EMBED = """-- name: embedded :many
SELECT sqlc.embed(users), sqlc.embed(orders) FROM users LEFT JOIN orders ON orders.user_id = users.id ORDER BY users.id;"""
_QUERIES = "\n\n".join(f"-- name: {name} {text.partition(' ')[0]}\n{text.partition(' ')[2]};" for name, text, *_ in _CASES)
SOURCE = declare(SCHEMA, f"{_QUERIES}\n\n{_EMBED}\n")


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.fixture(scope="module")
def conn(project: Project) -> Any:
    with project.connect() as connection:
        connection.execute(
            "INSERT INTO users VALUES (1, 'Ada', 'al', '{happy}', '{\"a\": {\"b\": \"c\"}}', 'x'), (2, 'Bob', NULL, '{}', '{}', 'y')"
        )
        connection.execute("INSERT INTO orders VALUES (1, 1, 1.50, '2024-01-01+00')")
        yield connection


@pytest.mark.parametrize(
    ("name", "params", "annotation", "expected"), [(name, *rest) for name, _, *rest in _CASES], ids=[c[0] for c in _CASES]
)
def test_the_annotation_is_true(
    project: Project, conn: psycopg.Connection[Any], name: str, params: dict[str, Any], annotation: str, expected: Any
) -> None:
    function = getattr(project.module("queries"), "in_" if name == "In" else name)
    found = function(conn, **params)
    returns = inspect.signature(function).return_annotation
    TypeAdapter(returns, config=None).validate_python(found, strict=True)
    if annotation.partition(":")[0].isidentifier() and ":" in annotation:
        field, _, wanted = annotation.partition(": ")
        (row,) = returns.__args__
        assert _shown(row.__annotations__[field]) == wanted
        assert [tuple(getattr(item, each) for each in row.__annotations__) for item in found] == expected
    else:
        assert (_shown(returns), found) == (annotation, expected)


def _shown(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    return text.replace("typed", "", 1).rpartition("enums.")[2] if text.startswith("typed") else _without_modules(text)


def _without_modules(text: str) -> str:
    head, found, rest = text.partition("typed_")
    return head + rest.partition("enums.")[2] if found else text


def test_an_embedded_row_without_a_match_is_none(project: Project, conn: psycopg.Connection[Any]) -> None:
    first, second = project.module("queries").embedded(conn)
    assert (first.orders.price, second.orders) == (Decimal("1.50"), None)


def test_importing_a_package_with_jsonb_leaves_psycopg_as_it_is(project: Project) -> None:
    program = f"""
import psycopg
before = repr([psycopg.adapters.get_loader(oid, form) for oid in (114, 3802, 1186) for form in psycopg.pq.Format])
before += repr(psycopg.adapters.get_dumper(str, psycopg.adapt.PyFormat.AUTO))
import {project.package}.queries
after = repr([psycopg.adapters.get_loader(oid, form) for oid in (114, 3802, 1186) for form in psycopg.pq.Format])
after += repr(psycopg.adapters.get_dumper(str, psycopg.adapt.PyFormat.AUTO))
assert before == after
"""
    subprocess.run([sys.executable, "-c", program], cwd=project.folder, check=True)
