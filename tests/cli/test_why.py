"""`sqlwright why`: each verdict with its reason and its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.program import Sqlwright, run_here
from tests.support.small_project import declare, write_project
from tests.support.sqlc import Recordings

QUERIES = """\
-- name: Totals :many
SELECT u.id,
       max(o.id) AS largest
FROM users u
LEFT JOIN users o ON o.id > u.id
GROUP BY u.id;

-- name: GetUser :one
SELECT name FROM users WHERE id = @id;

-- name: FindUsers :many
-- @optional low, high, name
-- @order id
-- @order name: name
-- @count
SELECT id FROM users WHERE id BETWEEN @low AND @high AND name = @name ORDER BY id;

-- name: PageUsers :many
-- @optional name
-- @page
-- @order name: name DESC, id
-- @order id
SELECT id FROM users WHERE name = @name ORDER BY id LIMIT @page_size;

-- name: Nameless :many
-- @page
SELECT id FROM (SELECT id, nullif(name, '') AS name FROM users) u ORDER BY name, id LIMIT @page_size;

-- name: RenameUser :one
-- @patch or select
-- @optional old
UPDATE users SET name = @name WHERE id = @id AND name = @old RETURNING id;

-- name: Pairs :many
SELECT u.id, sqlc.embed(other) FROM users u LEFT JOIN users other ON other.id > u.id;
"""


EXPLAINED = declare({"queries/users.sql": QUERIES})


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, proof_server: str, recordings: Recordings) -> Path:
    """The project with what is generated from it, and its proofs on record."""
    project = write_project(tmp_path_factory.mktemp("explained") / "project", EXPLAINED)
    done = run_here(project, ("generate",), {"SQLWRIGHT_DATABASE_URL": proof_server}, recordings)
    assert done.code == 0, done.err
    return project


@pytest.fixture(params=[True])
def proven(request: pytest.FixtureRequest) -> bool:
    """Whether the proofs are on record."""
    return bool(request.param)


@pytest.fixture
def project(tmp_path: Path, proven: bool, request: pytest.FixtureRequest) -> Path:
    if proven:
        return shutil.copytree(request.getfixturevalue("generated"), tmp_path / "project")
    return write_project(tmp_path / "project", EXPLAINED)


@pytest.mark.parametrize("proven", [False])
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


def test_an_embedded_row_and_its_columns_may_be_asked_for(sqlwright: Sqlwright) -> None:
    row = sqlwright("why", "Pairs", "other").out.splitlines()
    assert row[1] == "  other may be None: exactly where its join found no match"
    assert [line.partition(": ")[0] for line in row[2:]] == ["  other.id is never None", "  other.name is never None"]
    assert [line.split()[0] for line in sqlwright("why", "Pairs", "other.name").out.splitlines()[1:]] == ["other", "other.name"]
    shown = json.loads(sqlwright("why", "Pairs", "--format", "json").out)
    assert shown["embedded"] == [{"name": "other", "nullable": True, "columns": ["id", "name"]}]
    unknown = sqlwright("why", "Pairs", "another")
    assert (unknown.code, "its columns: id, other, other.id, other.name." in unknown.err) == (1, True)


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
    names = "CountFindUsers, FindUsers, GetUser, Nameless, PageUsers, Pairs, RenameUser, Totals"
    assert (done.code, done.err) == (1, f"error: there is no query orders.sql:GetUser\n  help: there are: {names}.\n")


def test_an_unknown_column_is_answered_with_those_that_there_are(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "Totals", "total")
    assert (done.code, done.err) == (1, "error: query Totals returns no column `total`\n  help: its columns: id, largest.\n")


def test_a_variant_is_shown_as_it_is_sent(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "FindUsers", "--without", "low", "--order", "name")
    statement = "SELECT id FROM users WHERE name = $1::text ORDER BY name"
    assert f"  | {statement}\n  id is never None" in done.out
    assert "  parameter high may be left out, must not be None: " in done.out
    assert "  order id is total: the unique index `users_pkey`" in done.out
    assert "  order name is not proven total: " in done.out
    document = json.loads(sqlwright("why", "FindUsers", "--without", "high", "--order", "name", "--format", "json").out)
    assert (document["variant"], [param["optional"] for param in document["params"]]) == (statement, [True, True, True])


def test_a_patch_that_sets_nothing_is_shown_as_the_select_that_is_sent(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "RenameUser", "--without", "name", "--without", "old")
    assert "\n  | SELECT id\n  | FROM users\n  | WHERE id = $1::int4\n" in done.out


def test_a_number_of_rows_is_explained_as_a_query_of_its_own(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "CountFindUsers", "--without", "name")
    assert done.out.startswith("CountFindUsers :one  queries/users.sql:11:10\n  rows: exactly one: ")
    assert "\n  | SELECT count(*) FROM (\n  | SELECT id FROM users WHERE id BETWEEN $1::int4 AND $2::int4\n  | ) AS counted\n" in done.out


def test_what_cannot_be_left_out_is_an_error_that_lists_what_can(sqlwright: Sqlwright) -> None:
    assert "it has low, high, name." in sqlwright("why", "FindUsers", "--without", "nmae").err
    assert "it has id, name." in sqlwright("why", "FindUsers", "--order", "nick").err
    assert "query GetUser has no optional parameter `id`" in sqlwright("why", "GetUser", "--without", "id").err


def test_a_query_with_variants_is_described_as_json(sqlwright: Sqlwright) -> None:
    (query,) = json.loads(sqlwright("inspect", "FindUsers").out)
    assert (query["variants"]["optional"], query["variants"]["orders"][1]) == ([1, 2, 3], {"name": "name", "total": ""})


def test_the_statements_of_pages_are_shown(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "PageUsers", "--without", "name", "--order", "name", "--format", "json")
    after = "name <= $2::text AND (name < $2::text OR id > $3::int4)"
    before = "name >= $2::text AND (name > $2::text OR id < $3::int4)"
    statement = "SELECT id, json_build_array(name, id)::text FROM users"
    assert json.loads(done.out)["variant"].split("\n\n") == [
        f"-- the first page\n{statement} ORDER BY name DESC, id LIMIT $1::int8",
        f"-- the page after a row\n{statement} WHERE {after} ORDER BY name DESC, id LIMIT $1::int8",
        f"-- the page before a row\n{statement} WHERE {before} ORDER BY name, id DESC LIMIT $1::int8",
        f"-- the last page\n{statement} ORDER BY name, id DESC LIMIT $1::int8",
    ]


def test_pages_and_patches_are_shown_without_options(sqlwright: Sqlwright) -> None:
    done = sqlwright("why", "Nameless")
    assert [line.removeprefix("  | ") for line in done.out.splitlines() if line.startswith("  | --")] == [
        "-- the first page",
        "-- the page after a row",
        "-- the page after a row where name IS NULL",
        "-- the page before a row",
        "-- the page before a row where name IS NULL",
        "-- the last page",
    ]
    assert "  order default is total: the unique index `users_pkey` allows one row for the given values\n" in done.out
    assert sqlwright("why", "Nameless", "--order", "default").out == done.out
    assert (
        "\n  | UPDATE users SET name = $1::text WHERE id = $2::int4 AND name = $3::text RETURNING id\n"
        in sqlwright("why", "RenameUser").out
    )
