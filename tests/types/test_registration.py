"""A forgotten `register`: every type that needs it says so, in either colour, and whatever does not need it works without."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.range import Range

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE EXTENSION vector;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS text;
CREATE TYPE place AS (street text, mood mood);
CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE TABLE users (id int PRIMARY KEY, mood mood NOT NULL);
"""
_NEEDS_IT = {
    "array_of_enum": "'{sad}'::mood[]",
    "empty_array_of_enum": "'{}'::mood[]",
    "composite": "row('x', 'sad')::place",
    "composite_of_nothing": "row(NULL, NULL)::place",
    "array_of_composite": "array[row('x', 'sad')::place]",
    "row_type": "row(1, 'sad')::users",
    "array_of_domain": "'{a@b}'::email[]",
    "own_range": "floatrange(1, 2)",
    "own_multirange": "floatmultirange(floatrange(1, 2))",
    "array_of_own_range": "array[floatrange(1, 2)]",
    "vector": "'[1,2]'::vector",
    "array_of_vector": "array['[1,2]'::vector]",
    "array_of_halfvec": "array['[1,2]'::halfvec]",
    "array_of_pg_snapshot": "array['10:20:'::pg_snapshot]",
}
_NEEDS_NOTHING = {"enum": "'sad'::mood", "domain": "'a@b'::email", "array_of_text": "'{a}'::text[]", "sparse": "'{1:1}/2'::sparsevec"}
_QUERIES = "".join(f"-- name: {name} :many\nSELECT {value} AS v;\n\n" for name, value in (_NEEDS_IT | _NEEDS_NOTHING).items())
_SENDING = """
-- name: send :exec
INSERT INTO users (id, mood) SELECT 1, (@place::place).mood WHERE 'sad' = ANY(@moods::mood[]) AND @mails::email[] <> '{}'
    AND NOT isempty(@span::floatrange);
"""
_MESSAGE = r"call typed_\d+\.register \(or typed_\d+\.aio\.register\) on this connection first"
SOURCE = declare(SCHEMA, _QUERIES + _SENDING)


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.mark.parametrize("name", _NEEDS_IT)
def test_a_missing_registration_is_reported(project: Project, name: str) -> None:
    with project.connect(register=False) as conn, pytest.raises(TypeError, match=_MESSAGE):
        getattr(project.module("queries"), name)(conn)
    with project.connect() as conn:
        (found,) = getattr(project.module("queries"), name)(conn)
    assert not isinstance(found, str)


def test_async_functions_report_it_too(project: Project) -> None:
    async def run(*, register: bool) -> list[str]:
        refused: list[str] = []
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            if register:
                await project.module("aio").register(conn)
            for name in _NEEDS_IT:
                try:
                    await getattr(project.module("aio.queries"), name)(conn)
                except TypeError:
                    refused.append(name)
        return refused

    assert asyncio.run(run(register=False)) == list(_NEEDS_IT)
    assert asyncio.run(run(register=True)) == []


@pytest.mark.parametrize("name", _NEEDS_NOTHING)
def test_other_types_need_no_registration(project: Project, name: str) -> None:
    with project.connect(register=False) as conn:
        assert len(getattr(project.module("queries"), name)(conn)) == 1


def test_parameters_need_no_registration(project: Project) -> None:
    mood, place = project.module("enums").Mood, project.module("models").Place
    with project.connect(register=False) as conn:
        sent: dict[str, Any] = {"place": place(street="x", mood=mood.SAD), "moods": [mood.SAD], "mails": ["a@b"], "span": Range(1.0, 2.0)}
        project.module("queries").send(conn, **sent)
        assert conn.execute("SELECT id, mood FROM users").fetchall() == [(1, "sad")]
