"""Mistakes that different stages find: those of one query hide none of another, and all are reported in one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Run, Sqlwright, tree
from tests.support.small_project import CONFIGURATION, MIGRATION, USERS, declare, write_files

NO_SERVER = "postgres://127.0.0.1:1/none"
MISSPELT = """\
-- name: Misspelt :many
-- @nulable name
SELECT name FROM users;
"""
LATER = """\
-- name: Patched :exec
-- @patch
UPDATE users SET name = 'x' WHERE id = @id;

-- name: Paged :many
-- @page
SELECT id FROM users ORDER BY id LIMIT 10;

-- name: Refused :many
SELECT id FROM users WHERE name > id;

-- name: Claimed :many
-- @notnull nme always set
SELECT id, name FROM users;

-- name: Json :many
-- @json nme: app.Data
SELECT id, name FROM users;
"""
STAGES = declare({"queries/users.sql": f"{MISSPELT}\n{LATER}"})
OF_LATER_STAGES = [
    "query Patched: @patch, but no assignment of SET has a parameter of its own",
    "query Paged: @page with `LIMIT 10`, while the size of a page is a parameter by itself, which is used nowhere else",
    "PostgreSQL refuses query Refused: operator does not exist: text > integer",
    "query Claimed claims @notnull for `nme`, which it does not return",
    "@json on query Json names `nme`, which is not one of its columns or parameters",
]
UNKNOWN = "unknown annotation @nulable on query Misspelt; did you mean @nullable?"


def errors(done: Run) -> list[str]:
    """What is wrong, in the order of the report."""
    assert (done.code, done.out) == (1, "")
    return done.errors


def test_errors_of_one_stage_hide_none_that_another_stage_finds_in_other_queries(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, STAGES)
    assert errors(sqlwright("generate")) == [UNKNOWN, *OF_LATER_STAGES]


def test_nothing_is_written_if_any_query_has_an_error(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    before = tree(project / "generated")
    write_files(project, STAGES)
    assert sqlwright("generate").code == 1
    assert tree(project / "generated") == before


LEFT_OUT = declare(
    {
        "queries/users.sql": """\
-- name: Misspelt :many
-- @nulable nme
-- @notnull nme always set
-- @count
SELECT name FROM users;

-- name: Refused :many
-- @notnull nme always set
-- @count
SELECT id FROM users WHERE name > id;

-- name: Two :many
SELECT id FROM users;
SELECT name FROM users;
"""
    }
)


def test_a_query_with_an_error_is_left_out_of_the_later_stages(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, LEFT_OUT)
    assert errors(sqlwright("generate")) == [
        "unknown annotation @nulable on query Misspelt; did you mean @nullable?",
        "PostgreSQL refuses query Refused: operator does not exist: text > integer",
        "query Two has a second statement, which would be ignored",
    ]


NAMES = declare(
    {
        "queries/users.sql": """\
-- name: GetRefused :many
SELECT id FROM users WHERE name > id;

-- name: get_refused :many
SELECT id FROM users;

-- name: Misspelt :many
-- @nulable name
SELECT name FROM users;

-- name: Other :many
-- @count Misspelt
SELECT name FROM users;
"""
    }
)


def test_the_names_of_queries_with_errors_are_taken(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, NAMES)
    assert errors(sqlwright("generate")) == [
        "PostgreSQL refuses query GetRefused: operator does not exist: text > integer",
        "queries GetRefused and get_refused would both be function `get_refused`",
        UNKNOWN,
        "@count on query Other makes a query Misspelt, and there is another one of that name",
    ]


ADDED = declare({"queries/users.sql": f"{USERS}\n{MISSPELT}"})
NOTHING_ELSE = declare({"queries/users.sql": MISSPELT})


def test_recorded_proofs_of_the_other_queries_hold_without_a_server(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    write_files(project, ADDED)
    assert errors(sqlwright("generate", SQLWRIGHT_DATABASE_URL=NO_SERVER)) == [UNKNOWN]


def test_no_server_is_missed_where_an_error_leaves_nothing_to_prove(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, NOTHING_ELSE)
    assert errors(sqlwright("generate", SQLWRIGHT_DATABASE_URL=NO_SERVER)) == [UNKNOWN]


def test_a_missing_server_hides_no_error_in_the_text(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, ADDED)
    missing, unknown = errors(sqlwright("generate", SQLWRIGHT_DATABASE_URL=NO_SERVER))
    assert missing.endswith("; 2 of 2 queries have no valid proof on record")
    assert unknown == UNKNOWN


TWO_FOLDERS = CONFIGURATION.replace("queries: queries", "queries: [a, b]")
SAME_NAME = declare({"sqlc.yaml": TWO_FOLDERS, "a/users.sql": "-- name: A :many\nSELECT id FROM users;\n", "b/users.sql": USERS})
SAME_NAME_MISSPELT = declare({**SAME_NAME, "a/users.sql": "-- name: A :many\n-- @streem\nSELECT id FROM users;\n"})


def test_recorded_proofs_hold_where_a_file_of_the_same_name_has_only_errors(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, SAME_NAME)
    assert sqlwright("generate").code == 0
    write_files(project, SAME_NAME_MISSPELT)
    done = errors(sqlwright("generate", SQLWRIGHT_DATABASE_URL=NO_SERVER))
    assert done == ["unknown annotation @streem on query A; did you mean @stream?"]


TWO_PACKAGES = declare(
    {
        "sqlc.yaml": CONFIGURATION
        + CONFIGURATION.partition("sql:\n")[2].replace("queries: queries", "queries: a").replace("app_db", "other_db"),
        "a/users.sql": LATER,
        "queries/users.sql": f"{USERS}\n{MISSPELT}",
    }
)


def test_errors_of_one_package_hide_none_of_another(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, TWO_PACKAGES)
    assert errors(sqlwright("generate")) == [*OF_LATER_STAGES, UNKNOWN]


BAD_VIEW = MIGRATION.replace("\n-- migrate:down", "CREATE VIEW shouted AS SELECT upper(id) AS id FROM users;\n\n-- migrate:down")
BAD_SCHEMA = declare({"migrations/1_users.sql": BAD_VIEW, "queries/users.sql": STAGES["queries/users.sql"]})
REFUSED_SCHEMA = "PostgreSQL refuses the schema: function upper(integer) does not exist"


def test_a_mistake_in_the_schema_hides_no_error_in_the_text_of_queries(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, BAD_SCHEMA)
    assert errors(sqlwright("generate")) == [REFUSED_SCHEMA, UNKNOWN]


REFUSED_BY_SQLC = "-- name: Wrong :many\nSELECT nme FROM strangers;\n"
BAD_SCHEMA_AND_QUERY = declare(
    {
        "migrations/1_users.sql": BAD_VIEW,
        "queries/users.sql": f"{REFUSED_BY_SQLC}\n{MISSPELT}",
        "sqlc.yaml": TWO_PACKAGES["sqlc.yaml"],
        "a/users.sql": REFUSED_BY_SQLC,
    }
)


def test_errors_of_sqlc_hide_no_mistake_in_the_schema(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, BAD_SCHEMA_AND_QUERY)
    unknown_table = 'relation "strangers" does not exist'
    assert errors(sqlwright("generate")) == [unknown_table, REFUSED_SCHEMA, unknown_table, UNKNOWN]


TWICE = MIGRATION.replace("\n-- migrate:down", "CREATE TABLE users (id int);\n\n-- migrate:down")
SYNTAX = MIGRATION.replace("\n-- migrate:down", "CREATE TABLE t (id int,\n\n);\n\n-- migrate:down")
SAID_BY_SQLC = [declare({"migrations/1_users.sql": TWICE}), declare({"migrations/1_users.sql": SYNTAX})]


@pytest.mark.parametrize("files", SAID_BY_SQLC, ids=["the same table twice", "syntax error"])
def test_a_mistake_in_the_schema_that_sqlc_reports_is_reported_once(project: Path, sqlwright: Sqlwright, files: dict[str, str]) -> None:
    write_files(project, files)
    assert len(errors(sqlwright("generate"))) == 1


HIDDEN_VARIANTS = """\
-- name: Selected :many
-- @patch
SELECT id FROM users WHERE name = @name;

-- name: Unordered :many
-- @order by_name: name
SELECT id FROM users;

-- name: Inserted :exec
-- @order by_name: name
INSERT INTO users (id, name) VALUES (@id, @name);

-- name: Twice :many
-- @order one
-- @order two
SELECT id FROM users ORDER BY id;

-- name: Chosen :many
-- @order by_id
-- @order chosen: @column
SELECT id FROM users ORDER BY id;

-- name: Unlimited :many
-- @page
SELECT id FROM users ORDER BY id;

-- name: Updated :many
-- @page
UPDATE users SET name = @name RETURNING id;
"""
HIDDEN_NAMES = """\
-- name: NoDefault :many
-- @order by_name: name
-- @order by_both: name, id
SELECT id, name FROM users ORDER BY id;

-- name: More :many
-- @order by_id
-- @order first: name LIMIT 1
SELECT id, name FROM users WHERE id > @least ORDER BY id;

-- name: Json :many
-- @json nme: app.Data
SELECT id, name FROM users WHERE id > @least;

-- name: Marked :many
-- @notnull name! always set
SELECT id, upper(name) AS "name!" FROM users;

-- name: Good :many
-- @page
-- @order by_name: name, id
-- @order by_id: users.id
-- @notnull shout always set
-- @optional name
SELECT id, name, upper(name) AS "shout!" FROM users WHERE name = @name ORDER BY id LIMIT @page_size;

-- name: Patched :exec
-- @patch
WITH u AS (SELECT 1) UPDATE users SET name = @name WHERE id = @id;
"""
OF_VARIANTS = [
    "query Selected: @patch on a statement that is not an UPDATE",
    "query Unordered: @order, but the statement has no ORDER BY of its own",
    "query Inserted: @order, but the statement has no ORDER BY of its own",
    "query Twice: two orders without columns",
    "query Chosen, @order chosen: an order has no parameters",
    "query Unlimited: @page on a statement that has no LIMIT, which is the size of a page",
    "query Updated: @page on a statement that is not a SELECT",
]
OF_NAMES = [
    "query NoDefault: no @order is that of the statement's own ORDER BY, which is the default",
    "query More, @order first: it is more than a list for ORDER BY",
    "@json on query Json names `nme`, which is not one of its columns or parameters",
    "query Marked claims @notnull for `name!`, which it does not return",
]
ALONE = declare({"queries/users.sql": HIDDEN_VARIANTS + "\n" + HIDDEN_NAMES})
BESIDE_SQLC = declare({"queries/users.sql": ALONE["queries/users.sql"], "queries/wrong.sql": REFUSED_BY_SQLC})


@pytest.mark.parametrize("files", [ALONE, BESIDE_SQLC], ids=["alone", "beside an error of sqlc"])
def test_the_same_is_said_of_annotations_alone_and_beside_an_error_of_sqlc(
    project: Path, sqlwright: Sqlwright, files: dict[str, str]
) -> None:
    write_files(project, files)
    of_sqlc = [] if files is ALONE else ['PostgreSQL refuses query Wrong: relation "strangers" does not exist']
    assert errors(sqlwright("generate")) == [*OF_VARIANTS, *OF_NAMES, *of_sqlc]


def test_what_the_text_shows_of_annotations_needs_no_server_beside_an_error_of_sqlc(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, BESIDE_SQLC)
    found = errors(sqlwright("generate", SQLWRIGHT_DATABASE_URL=NO_SERVER))
    assert found == [*OF_VARIANTS, 'relation "strangers" does not exist']


IN_ONE_QUERY = declare(
    {
        "queries/users.sql": """\
-- name: Both :many
-- @patch
-- @page
SELECT id FROM strangers ORDER BY id;

-- name: Syntax :many
-- @page
-- @order chosen: @column
SELECT id FROM users ORDRE BY id LIMTI @page_size;
"""
    }
)


def test_an_error_of_sqlc_hides_none_in_the_annotations_of_its_query(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, IN_ONE_QUERY)
    found = errors(sqlwright("generate"))
    assert found == [
        "query Both: @patch on a statement that is not an UPDATE",
        "query Both: @page on a statement that has no LIMIT, which is the size of a page",
        'PostgreSQL refuses query Both: relation "strangers" does not exist',
        "query Syntax, @order chosen: an order has no parameters",
        'PostgreSQL refuses query Syntax: syntax error at or near "BY"',
    ]
