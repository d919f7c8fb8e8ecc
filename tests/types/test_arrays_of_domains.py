"""Arrays of a domain over an array: each element is an array of a length of its own, which PostgreSQL tells from a further dimension."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN ints AS int[]; CREATE DOMAIN words AS text[]; CREATE DOMAIN moods AS mood[];
CREATE DOMAIN files AS bytea[]; CREATE DOMAIN docs AS jsonb[]; CREATE DOMAIN lists AS ints[];
CREATE TYPE pair AS (n int, i ints[]);
CREATE TABLE t (
    id int PRIMARY KEY, i ints[] NOT NULL, w words[], m moods[] NOT NULL, f files[] NOT NULL, d docs[] NOT NULL, l lists[] NOT NULL,
    p pair NOT NULL
);
"""
COLUMNS = "id, i, w, m, f, d, l, p"
QUERIES = f"""
-- name: Add :one
INSERT INTO t ({COLUMNS}) VALUES (@id, @i, @w, @m, @f, @d, @l, @p) RETURNING *;

-- name: CopyIn :copyfrom
INSERT INTO t ({COLUMNS}) VALUES (@id, @i, @w, @m, @f, @d, @l, @p);

-- name: Others :many
SELECT {COLUMNS} FROM t WHERE id <> @id;

-- name: Lengths :one
SELECT cardinality(i) AS outer_length, cardinality(i[1]) AS inner_length FROM t WHERE i = @i;
"""
DECLARED = declare(SCHEMA, QUERIES)


@pytest.fixture(scope="module", params=["compiler", "debian_compiler"], ids=["newest", "oldest"])
def project(request: pytest.FixtureRequest) -> Project:
    compiler: Compiler = request.getfixturevalue(request.param)
    return compiler.compile(DECLARED)


def values(project: Project, number: int) -> dict[str, Any]:
    mood = project.module("enums").Mood
    return {
        "id": number, "i": [[1, 2, 3], [4], []], "w": [['a,"b\\', "NULL"], []], "m": [[mood.SAD], [mood.HAPPY, mood.SAD]],
        "f": [[b"\x00\\x", b""]], "d": [[{"a": [1]}, []]], "l": [[[1], [2, 3]], []],
        "p": project.module("models").Pair(n=1, i=[[5], [6, 7]]),
    }  # fmt: skip


def test_what_is_sent_comes_back(project: Project) -> None:
    queries, row = project.module("queries"), project.module("models").T
    with project.connect() as conn:
        assert queries.add(conn, **values(project, 1)) == row(**values(project, 1))
        assert queries.copy_in(conn, [queries.CopyInParams(**values(project, number)) for number in (2, 3)]) == 2
        assert queries.others(conn, id=1) == [row(**values(project, number)) for number in (2, 3)]
        lengths = queries.lengths(conn, i=[[1, 2, 3], [4], []])
        assert (lengths.outer_length, lengths.inner_length) == (3, 3)


def test_async_functions_do_the_same(project: Project) -> None:
    async def run() -> Any:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            await project.module("aio").register(conn)
            found = await project.module("aio.queries").add(conn, **values(project, 1))
            await conn.rollback()
            return found

    assert asyncio.run(run()) == project.module("models").T(**values(project, 1))
