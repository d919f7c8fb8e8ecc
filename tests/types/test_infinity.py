"""`infinity` in each type that has it: an error that says so, wherever the value stands, and never another value."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from tests.support.projects import Compiler, Project, declare

_TYPES = ("date", "timestamp", "timestamptz", "interval")
_RANGES = {"date": "daterange", "timestamp": "tsrange", "timestamptz": "tstzrange"}
SCHEMA = "\n".join(f"CREATE TYPE c_{name} AS (v {name});" for name in _TYPES)
_FORMS = {
    "alone": "'{sign}infinity'::pg_catalog.{name} AS v",
    "in_an_array": "ARRAY['{sign}infinity'::pg_catalog.{name}] AS v",
    "in_a_composite": "row('{sign}infinity'::pg_catalog.{name})::c_{name} AS v",
    "in_a_record": "row('{sign}infinity'::pg_catalog.{name}) AS v",
    "in_a_range": "{range}('{sign}infinity'::pg_catalog.{name}, '{sign}infinity'::pg_catalog.{name}, '[]') AS v",
}
_CASES = [
    (f"{form}_{name}_{word}_{sort}", text.format(sign=sign, name=name, range=_RANGES.get(name)) + extra)
    for form, text in _FORMS.items()
    for name in _TYPES
    for sign, word in (("", "end"), ("-", "start"))
    for sort, extra in (("binary", ""), ("text", ", 0.5::float4 AS forces_text"))
    if (form != "in_a_range" or name in _RANGES) and (form != "in_a_record" or sort == "binary")
]
SOURCE = declare(SCHEMA, "".join(f"-- name: {name} :one\nSELECT {query};\n\n" for name, query in _CASES))


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.fixture(scope="module")
def conn(project: Project) -> Any:
    with project.connect() as connection:
        yield connection


@pytest.mark.parametrize("name", [name for name, _ in _CASES])
def test_infinity_is_an_error(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    with pytest.raises(psycopg.DataError, match=r"too (large|small)|infinit"):
        getattr(project.module("queries"), name)(conn)


def test_infinity_is_an_error_in_async_functions_too(project: Project) -> None:
    async def run() -> int:
        refused = 0
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            await project.module("aio").register(conn)
            for name, _ in _CASES:
                try:
                    await getattr(project.module("aio.queries"), name)(conn)
                except psycopg.DataError:
                    refused += 1
        return refused

    assert asyncio.run(run()) == len(_CASES)
