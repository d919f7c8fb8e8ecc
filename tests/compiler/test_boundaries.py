"""Statements that would be lost: each is an error that shows both places."""

from __future__ import annotations

import pytest

from sqlwright.diagnostics import format_diagnostic
from sqlwright.sql.boundaries import check_boundaries
from sqlwright.sql.sources import split_queries


def problems(text: str, *, schema: bool = False, read: str = "A B") -> list[str]:
    sources = split_queries("q.sql", text)
    return [format_diagnostic(d) for d in check_boundaries(sources, set(read.split()), {"q.sql"} if schema else set())]


def test_a_second_statement_under_a_name_is_an_error_at_both_places() -> None:
    (problem,) = problems("-- name: A :exec\nUPDATE t SET a = 1;\nUPDATE t SET b = 2;\n")
    assert problem == (
        "error: query A has a second statement, which would be ignored\n"
        "  --> q.sql:3:1\n"
        "    |\n"
        "  3 | UPDATE t SET b = 2;\n"
        "    | ^^^^^^^^^^^^^^^^^^ this statement has no name line\n"
        "  ::: q.sql:1:10\n"
        "    |\n"
        "  1 | -- name: A :exec\n"
        "    |          ^ query A is the first statement only\n"
        "  help: write a name line above it (`-- name: Name :command`), or combine both into one statement: WITH … AS (…)."
    )


def test_a_missing_semicolon_is_an_error_at_both_places() -> None:
    (problem,) = problems("-- name: A :exec\nINSERT INTO t\n\n-- name: B :many\nSELECT * FROM t;\n")
    assert problem == (
        "error: query A does not end with a semicolon, and swallows query B\n"
        "  --> q.sql:2:13\n"
        "    |\n"
        "  2 | INSERT INTO t\n"
        "    |             ^ a `;` is missing after this\n"
        "  ::: q.sql:4:10\n"
        "    |\n"
        "  4 | -- name: B :many\n"
        "    |          ^ this becomes part of it\n"
        "  help: end the statement with `;`."
    )


def test_a_name_without_a_statement_takes_that_of_the_next() -> None:
    (problem,) = problems("-- name: A :exec\n-- DELETE FROM t;\n\n-- name: B :many\nSELECT 1;\n")
    assert "query A has no statement, so sqlc takes that of query B for it" in problem


@pytest.mark.parametrize(
    "text",
    [
        "-- name: A :one\nSELECT ';' /* ; */ -- ;\n;\n-- name: B :one\nSELECT 1",
        "-- name: A :one\nSELECT 1;\n-- name: C :one\n-- SELECT 2;\n",
        "-- name: A :exec\nDO $$ BEGIN PERFORM 1; PERFORM 2; END $$;",
    ],
    ids=["quoted semicolons", "a query that is commented out at the end", "a body with statements"],
)
def test_what_loses_nothing_is_no_error(text: str) -> None:
    assert problems(text) == []


def test_a_file_of_the_schema_may_define_tables_between_its_queries() -> None:
    text = "-- name: A :many\nSELECT 1;\nCREATE TABLE t (id int);\n"
    assert problems(text, schema=True) == []
    assert len(problems(text)) == 1
    assert len(problems("-- name: A :many\nSELECT 1;\nSELECT 2;\n", schema=True)) == 1


def test_a_name_with_nothing_under_it_is_an_error_also_at_the_end_of_a_file() -> None:
    (problem,) = problems("-- name: A :many\nSELECT 1;\n\n-- name: B :one\n\n")
    assert problem == (
        "error: query B has no statement\n"
        "  --> q.sql:4:10\n"
        "    |\n"
        "  4 | -- name: B :one\n"
        "    |          ^\n"
        "  help: write the statement, or remove the name line."
    )


def test_a_query_whose_statement_another_takes_is_reported_once() -> None:
    assert len(problems("-- name: A :many\n-- name: B :many\nSELECT 1;\n", read="A")) == 1


def test_a_query_before_the_first_name_line_is_an_error_except_in_the_schema() -> None:
    text = "-- Name: A :one\nSELECT 1;\n\n-- name: B :one\nSELECT 2;\n"
    (problem,) = problems(text)
    assert problem.startswith("error: a statement without a name line, which would be ignored\n  --> q.sql:2:1\n")
    assert problems(text, schema=True) == []
    assert problems("SET search_path = a;\n-- name: A :one\nSELECT 1;\n") == []


def test_a_query_that_sqlc_has_not_read_is_an_error() -> None:
    (problem,) = problems("  -- name: C :one\nSELECT 1;\n")
    assert "query C is not read by sqlc" in problem


def test_a_file_for_sqlc_only_has_no_boundaries() -> None:
    assert problems("-- @sqlc-only\n\n-- name: A :exec\nUPDATE t SET a = 1;\nUPDATE t SET b = 2;\n") == []
