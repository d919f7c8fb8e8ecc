"""Types that extensions bring: those of contrib on Debian's server, vector on the embedded one."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.projects import Compiler, Project, declare

_TEXT_TYPES = {
    "citext": 'Ünï "x", \\y{}',
    "ltree": "a.b_c",
    "lquery": "a.*{1,2}",
    "ltxtquery": "a & b",
    "cube": "(1, 2),(3, 4)",
    "seg": "1 .. 2",
}
_SCHEMA = """
CREATE SCHEMA ext;
CREATE EXTENSION citext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION seg;
CREATE EXTENSION isn;
CREATE TYPE holder AS (h ext.hstore, hs ext.hstore[], c citext, cs citext[]);
CREATE TABLE t (h ext.hstore NOT NULL, hs ext.hstore[], c citext NOT NULL, cs citext[] NOT NULL, held holder, isbn isbn13 NOT NULL);
"""
_QUERIES = """
-- name: add :one
INSERT INTO t (h, hs, c, cs, held, isbn) VALUES (@h, @hs, @c, @cs, @held, @isbn) RETURNING *;
""" + "\n".join(
    f"""
-- name: one_{name} :one
SELECT @v::{name} AS v;

-- name: many_{name} :one
SELECT @v::{name}[] AS v;
"""
    for name in _TEXT_TYPES
)
CONTRIB = declare(_SCHEMA, _QUERIES)


@pytest.fixture(scope="module")
def contrib(debian_compiler: Compiler) -> Project:
    return debian_compiler.compile(CONTRIB)


@pytest.mark.parametrize(("name", "value"), _TEXT_TYPES.items())
def test_types_that_are_text_come_back_as_str(contrib: Project, name: str, value: str) -> None:
    queries = contrib.module("queries")
    with contrib.connect() as conn:
        assert getattr(queries, f"one_{name}")(conn, v=value) == value
        assert getattr(queries, f"many_{name}")(conn, v=[value, None]) == [value, None]


def test_an_hstore_is_a_dict(contrib: Project) -> None:
    queries, holder = contrib.module("queries"), contrib.module("models").Holder
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
    with contrib.connect() as conn:

        @settings(
            max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], derandomize=True
        )
        @given(st.dictionaries(text, st.none() | text, max_size=4))
        def check(value: dict[str, str | None]) -> None:
            held = holder(h=value, hs=[value, {}], c="a", cs=["b"])
            sent: dict[str, Any] = {"h": value, "hs": [value], "c": "A", "cs": ["B"], "held": held, "isbn": "978-0-11-000533-1"}
            found = queries.add(conn, **sent)
            assert {name: getattr(found, name) for name in sent} == sent

        check()


def test_a_missing_registration_of_hstore_is_reported(contrib: Project) -> None:
    sent: dict[str, Any] = {"h": {}, "hs": None, "c": "A", "cs": ["B"], "held": None, "isbn": "978-0-11-000533-1"}
    with contrib.connect(register=False) as conn, pytest.raises(TypeError, match="on this connection first"):
        contrib.module("queries").add(conn, **sent)


def test_a_registered_connection_still_sends_a_dict_as_its_owner_wishes(contrib: Project) -> None:
    with contrib.connect() as conn, pytest.raises(psycopg.ProgrammingError, match="cannot adapt type 'dict'"):
        conn.execute("SELECT %s", [{}])


VECTORS = declare(
    """
CREATE EXTENSION vector;
CREATE TABLE v (id int PRIMARY KEY, one vector(2), many vector[], half halfvec(2) NOT NULL, sparse sparsevec(3));
""",
    """
-- name: add :one
INSERT INTO v (id, one, many, half, sparse) VALUES (@id, @one, @many, @half, @sparse) RETURNING one, many, half, sparse;

-- name: nearest :many
SELECT id, (one <-> @target)::float8 AS distance FROM v ORDER BY one <-> @target;
""",
)


@pytest.fixture(scope="module")
def vectors(compiler: Compiler) -> Project:
    return compiler.compile(VECTORS)


def test_a_vector_is_a_list_of_floats(vectors: Project) -> None:
    queries = vectors.module("queries")
    sent: dict[str, Any] = {"one": [1.0, -2.5], "many": [[0.25], [1e-6, 3.0]], "half": [0.5, 2.0], "sparse": "{1:1.5}/3"}
    with vectors.connect() as conn:
        found = queries.add(conn, id=1, **sent)
        assert {name: getattr(found, name) for name in sent} == sent
        assert queries.add(conn, id=2, one=None, many=None, half=[1, 2], sparse=None).one is None
        assert queries.nearest(conn, target=[1, -2.5])[0].distance == 0


def test_async_vectors(vectors: Project) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(vectors.conninfo) as conn:
            await vectors.module("aio").register(conn)
            found = await vectors.module("aio.queries").add(conn, id=1, one=[1.0, 2.0], many=None, half=[0.5, 2.0], sparse=None)
            assert (found.one, found.half) == ([1.0, 2.0], [0.5, 2.0])
            await conn.rollback()

    asyncio.run(run())
