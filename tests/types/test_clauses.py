"""Clauses and statements of the golden case `clauses`, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.projects import Compiler, Project, declare

_CASE = Path(__file__).parents[1] / "golden" / "cases" / "clauses"
SOURCE = declare((_CASE / "schema.sql").read_text(), (_CASE / "queries" / "stock.sql").read_text())


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.fixture
def conn(project: Project) -> Any:
    with project.connect() as connection:
        connection.execute("INSERT INTO stock VALUES (1, 'a', 5, NULL), (2, 'a', 3, 'n'), (3, 'b', 1, NULL)")
        yield connection


@pytest.fixture
def queries(project: Project) -> Any:
    return project.module("queries")


def _plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in type(row).__annotations__) for row in rows]


def test_quoted_and_reserved_names_in_another_schema(queries: Any, conn: psycopg.Connection[Any]) -> None:
    queries.add_odd(conn, from_=1, group_by="g", user=None)
    assert _plain(queries.odd(conn, wanted="g")) == [(1, "g", None)]


def test_distinct_on_keeps_the_first_of_each(queries: Any, conn: psycopg.Connection[Any]) -> None:
    assert _plain(queries.smallest(conn)) == [("a", 2, "n"), ("b", 3, None)]


def test_values_lists_have_columns(queries: Any, conn: psycopg.Connection[Any]) -> None:
    assert _plain(queries.given(conn)) == [(1, "a"), (2, None)]


def test_on_conflict_returns_the_row_either_way(queries: Any, conn: psycopg.Connection[Any]) -> None:
    assert queries.upsert(conn, id=1, kind="a", amount=2).amount == 7
    assert queries.upsert(conn, id=9, kind="c", amount=2).amount == 2


def test_a_row_is_locked(queries: Any, conn: psycopg.Connection[Any]) -> None:
    assert queries.lock(conn, id=1).amount == 5
    assert queries.lock(conn, id=99) is None


def test_merge_updates_or_inserts(queries: Any, conn: psycopg.Connection[Any]) -> None:
    queries.merge(conn, id=1, amount=0)
    queries.merge(conn, id=7, amount=4)
    assert conn.execute("SELECT id, kind, amount FROM stock WHERE id IN (1, 7) ORDER BY id").fetchall() == [(1, "a", 0), (7, "new", 4)]


def test_functions_and_procedures(queries: Any, conn: psycopg.Connection[Any]) -> None:
    assert sorted(_plain(queries.of_kind(conn, kind="a"))) == [(1, 5), (2, 3)]
    assert queries.twice(conn, n=4) == 8
    queries.clear(conn, kind="a")
    assert _plain(queries.of_kind(conn, kind="a")) == []
