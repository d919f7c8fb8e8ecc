"""Types of the schema and exact intervals through the commands that send or fetch many rows."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.range import Range

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN mail AS text;
CREATE TYPE place AS (street text, moods mood[]);
CREATE TABLE stays (
    id int8 PRIMARY KEY, span interval NOT NULL, spans interval[], at place, places place[], mood mood, mails mail[], mail mail,
    days daterange, doc jsonb
);
"""
COLUMNS = "id, span, spans, at, places, mood, mails, mail, days, doc"
VALUES = "@id, @span, @spans, @at, @places, @mood, @mails, @mail, @days, @doc"
QUERIES = f"""
-- name: copy_stays :copyfrom
INSERT INTO stays ({COLUMNS}) VALUES ({VALUES});

-- name: copy_spans :copyfrom
INSERT INTO stays (id, span) VALUES (@id, @span);

-- name: add_stays :batchexec
INSERT INTO stays ({COLUMNS}) VALUES ({VALUES});

-- name: find_stays :batchone
SELECT {COLUMNS} FROM stays WHERE id = @id;

-- name: spans_of :batchmany
SELECT span FROM stays WHERE id = @id;

-- name: stream_stays :many
-- @stream 2
SELECT {COLUMNS} FROM stays ORDER BY id;

-- name: stream_spans :many
-- @stream 2
SELECT span FROM stays ORDER BY id;
"""
PLAIN = declare(SCHEMA, QUERIES)
MODELS = {model: declare(SCHEMA, QUERIES, intervals="exact", domains="newtype", model=model) for model in ("dataclass", "pydantic")}


@pytest.fixture(scope="module", params=MODELS)
def project(compiler: Compiler, request: pytest.FixtureRequest) -> Project:
    return compiler.compile(MODELS[request.param])


@pytest.fixture(scope="module")
def plain(compiler: Compiler) -> Project:
    return compiler.compile(PLAIN)


def _rows(project: Project) -> list[dict[str, Any]]:
    """Rows with a value in every column, and with none where that is allowed."""
    interval, place = project.module("adapters").Interval, project.module("models").Place
    mood = project.module("enums").Mood
    here = place(street='O"Neil, 1\\', moods=[mood.SAD])
    days: Range[Any] = Range(None, None, "()")
    full = {
        "id": 1, "span": interval(14, -3, 5), "spans": [interval(1, 2, 3)], "at": here, "places": [here], "mood": mood.HAPPY,
        "mails": ["a@b"], "mail": "c\td", "days": days, "doc": {"a": [1, None]},
    }  # fmt: skip
    return [full, {**dict.fromkeys(full), "id": 2, "span": interval(0, 0, 0)}]


@pytest.mark.parametrize("command", ["copy_stays", "add_stays"])
def test_what_is_sent_for_many_rows_is_found_by_a_batch_and_a_stream(project: Project, command: str) -> None:
    queries, rows = project.module("queries"), _rows(project)
    params = getattr(queries, "CopyStaysParams" if command == "copy_stays" else "AddStaysParams")
    with project.connect() as conn:
        getattr(queries, command)(conn, rows=[params(**row) for row in rows])
        found = queries.find_stays(conn, rows=[queries.FindStaysParams(id=number) for number in (1, 2, 3)])
        spans = queries.spans_of(conn, rows=[queries.SpansOfParams(id=1)])
        streamed = list(queries.stream_stays(conn))
        streamed_spans = list(queries.stream_spans(conn))
    expected = [project.module("models").Stay(**row) for row in rows]
    assert found == [*expected, None]
    assert streamed == expected
    assert spans == [[rows[0]["span"]]]
    assert streamed_spans == [row["span"] for row in rows]


def test_async_functions_do_the_same(project: Project) -> None:
    queries, aio, rows = project.module("queries"), project.module("aio.queries"), _rows(project)

    async def run() -> tuple[list[Any], list[Any]]:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn, conn.transaction(force_rollback=True):
            await project.module("aio").register(conn)
            await aio.copy_stays(conn, rows=[queries.CopyStaysParams(**row) for row in rows])
            found = await aio.find_stays(conn, rows=[queries.FindStaysParams(id=1)])
            return found, [row async for row in aio.stream_stays(conn)]

    found, streamed = asyncio.run(run())
    assert found == streamed[:1] == [project.module("models").Stay(**rows[0])]


def test_a_batch_refuses_months_as_timedelta(plain: Project) -> None:
    queries = plain.module("queries")
    with plain.connect() as conn:
        conn.execute("INSERT INTO stays (id, span) VALUES (1, '1 mon')")
        with pytest.raises(psycopg.DataError, match="a timedelta cannot hold the interval"):
            queries.spans_of(conn, rows=[queries.SpansOfParams(id=1)])


def test_a_stream_refuses_months_as_timedelta(plain: Project) -> None:
    with plain.connect() as conn:
        conn.execute("INSERT INTO stays (id, span) VALUES (1, '1 mon')")
        with pytest.raises(psycopg.DataError, match="a timedelta cannot hold the interval"):
            list(plain.module("queries").stream_spans(conn))
