"""`sqlwright why`: each verdict with its reason and its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import Sqlwright
from tests.support.small_project import declare, write_files

QUERIES = """\
-- name: Totals :many
SELECT u.id,
       max(o.id) AS largest
FROM users u
LEFT JOIN users o ON o.id > u.id
GROUP BY u.id;

-- name: GetUser :one
SELECT name FROM users WHERE id = @id;
"""


EXPLAINED = declare({"queries/users.sql": QUERIES})


@pytest.fixture(autouse=True)
def queries(project: Path) -> None:
    write_files(project, EXPLAINED)


def test_every_column_and_the_rows_are_explained(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "Totals")
    assert done.code == 0
    assert done.out == (
        "Totals :many  queries/users.sql:1:10\n"
        "  rows: no limit is proven: there is one row for each group  (queries/users.sql:2:8)\n"
        "  id is never None: `users.id` is NOT NULL  (queries/users.sql:2:8)\n"
        "  largest may be None: `max` is NULL when all its values in a group are NULL: `users o` is on the nullable side of the LEFT JOIN"
        "  (queries/users.sql:3:8)\n"
    )


def test_one_column_may_be_asked_for(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "users.sql:totals", "id")
    assert done.out.splitlines()[1:] == ["  id is never None: `users.id` is NOT NULL  (queries/users.sql:2:8)"]


def test_parameters_are_explained(sqlwright: Sqlwright) -> None:
    assert "  parameter id must not be None: " in sqlwright("why", "GetUser").out


def test_the_json_form_has_places_as_editors_count(sqlwright: Sqlwright) -> None:
    document = json.loads(sqlwright("why", "GetUser", "--format", "json").out)
    assert document["rows"]["cardinality"] == "at most one"
    assert document["columns"] == [
        {
            "name": "name",
            "nullable": False,
            "reason": "`users.name` is NOT NULL",
            "place": {"file": "queries/users.sql", "line": 9, "column": 8, "end_column": 12},
        }
    ]


def test_an_unknown_query_is_answered_with_those_that_there_are(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "orders.sql:GetUser")
    assert (done.code, done.err) == (1, "error: there is no query orders.sql:GetUser\n  help: there are: GetUser, Totals.\n")


def test_an_unknown_column_is_answered_with_those_that_there_are(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "Totals", "total")
    assert (done.code, done.err) == (1, "error: query Totals returns no column `total`\n  help: its columns: id, largest.\n")
