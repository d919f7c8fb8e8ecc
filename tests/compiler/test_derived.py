"""`@count` and `@exists` as text: what a statement that asks about the rows of another one is made of."""

from __future__ import annotations

import pytest

from sqlwright.diagnostics import CompileError
from sqlwright.sql.derived import Question, ask
from tests.support.stages import unproven


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT a FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t -- all\nORDER BY a DESC LIMIT 3", "SELECT a FROM t"),
        ("SELECT a FROM t LIMIT 3 OFFSET 2", "SELECT a FROM t"),
        ("SELECT a FROM t OFFSET 2 ROWS FETCH FIRST ROW ONLY", "SELECT a FROM t"),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES", "SELECT a FROM t"),
        ("SELECT a.order, b.limit FROM a, b WHERE a.offset = 1 ORDER BY 1", "SELECT a.order, b.limit FROM a, b WHERE a.offset = 1"),
        (
            "SELECT sum(a) OVER (ORDER BY b) FROM t WINDOW w AS (ORDER BY a)",
            "SELECT sum(a) OVER (ORDER BY b) FROM t WINDOW w AS (ORDER BY a)",
        ),
        ("(SELECT 1 LIMIT 1) UNION ALL SELECT 2 ORDER BY 1", "(SELECT 1 LIMIT 1) UNION ALL SELECT 2"),
        ("WITH x AS (SELECT 1 LIMIT 2) SELECT ' ORDER BY ' FROM x LIMIT 1", "WITH x AS (SELECT 1 LIMIT 2) SELECT ' ORDER BY ' FROM x"),
        ("VALUES (1), (2) ORDER BY 1", "VALUES (1), (2)"),
    ],
)
def test_rows_are_counted_without_order_and_limit(sql: str, rows: str) -> None:
    assert ask(Question.COUNT, sql).sql == f"SELECT count(*) FROM (\n{rows}\n) AS counted"
    assert ask(Question.EXISTS, sql).sql == f"SELECT EXISTS (\n{rows}\n)"


def test_parameters_of_order_and_limit_leave_and_the_others_are_numbered_anew() -> None:
    asking = ask(Question.COUNT, "SELECT a + $3 FROM t WHERE b = $2 ORDER BY c + $1 LIMIT $4")
    assert asking.sql == "SELECT count(*) FROM (\nSELECT a + $2 FROM t WHERE b = $1\n) AS counted"
    assert (asking.params, asking.limited) == ((2, 3), True)


def test_the_queries_are_named_after_their_query_or_as_the_annotation_says() -> None:
    text = "-- name: {} :many\n-- @count\n-- @exists HasUsers\n-- @stream\nSELECT 1 AS a LIMIT 1;\n"
    for name in ("FindUsers", "findUsers", "find_users"):
        found, count, exists = unproven(text.format(name)).modules[0].queries
        assert (found.function, count.function, exists.function, exists.name) == (
            "find_users",
            "count_find_users",
            "has_users",
            "HasUsers",
        )
        assert count.doc == ("Count the rows of `find_users`, without its limit.",)
        assert (count.annotations.stream, count.derivation and count.derivation.name) == (None, name)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("-- name: A :one\n-- @count\nSELECT 1;\n", "@count on query A, which is :one", "2:1"),
        ("-- name: A :many\n-- @exists\n-- @exists\nSELECT 1;\n", "@exists on query A is repeated", "3:1"),
        ("-- name: A :many\n-- @count of all\nSELECT 1;\n", "annotation @count on query A says too much: `of all`", "2:1"),
        ("-- name: A :many\n-- @counts\nSELECT 1;\n", "unknown annotation @counts on query A; did you mean @count?", "2:1"),
        (
            "-- name: CountA :one\nSELECT 1;\n\n-- name: A :many\n-- @count\nSELECT 1;\n",
            "@count on query A makes a query CountA, and there is another one of that name",
            "5:1",
        ),
        (
            "-- name: A :many\n-- @count N\n-- @exists N\nSELECT 1;\n",
            "@exists on query A makes a query N, and there is another one of that name",
            "3:1",
        ),
    ],
)
def test_a_mistake_is_an_error_at_its_place(text: str, message: str, place: str) -> None:
    with pytest.raises(CompileError) as error:
        unproven(text)
    (found,) = error.value.diagnostics
    assert (found.message, str(found.place), bool(found.help)) == (message, f"queries/users.sql:{place}", True)
