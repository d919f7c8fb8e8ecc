"""Messages about variants, on the command line: each at its place, with what to write instead."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import Sqlwright
from tests.support.small_project import declare, write_files

WARNED = declare(
    {
        "migrations/1_users.sql": "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text);\n",
        "queries/users.sql": """\
-- name: Rename :exec
UPDATE users SET name = sqlc.narg(name), nick = sqlc.narg(nick) WHERE id = @id;

-- name: Patch :exec
-- @patch
UPDATE users SET name = COALESCE(sqlc.narg(name), name), nick = coalesce(@nick, 'none') WHERE id = @id;

-- name: Find :many
-- @optional nick
SELECT id FROM users u WHERE nick = coalesce(sqlc.narg(nick), u.nick) ORDER BY id;

-- name: Update :exec
UPDATE users SET name = COALESCE(sqlc.narg(name), name) WHERE id = @id;
""",
    }
)


def test_a_parameter_that_accepts_none_to_no_purpose_is_a_warning(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, WARNED)
    done = sqlwright("generate")
    assert done.code == 0
    lines = done.err.splitlines()
    assert [line for line in lines if line.startswith(("warning", "  -->", "  help"))] == [
        "warning: query Rename: sqlc.narg accepts None for `name`, and `users.name` refuses NULL",
        "  --> queries/users.sql:2:25",
        "  help: write `@name`.",
        "warning: query Patch: `name` may be left out, and COALESCE leaves `name` as it is a second time",
        "  --> queries/users.sql:6:25",
        "  help: write `name = @name`: it leaves the statement when the argument is left out.",
        "warning: query Find: `nick` may be left out, and COALESCE leaves `nick` as it is a second time",
        "  --> queries/users.sql:10:37",
        "  help: write `nick = @nick`: it leaves the statement when the argument is left out.",
    ]
    # What is reused says the same.
    assert sqlwright("generate").err == done.err


MISUSED = declare(
    {
        "queries/users.sql": """\
-- name: PagedOne :one
-- A user.
-- @page
SELECT name FROM users WHERE id = @id;

-- name: CountedExec :exec
-- @count
DELETE FROM users WHERE id = @id;

-- name: OptionalBatch :batchexec
-- @optional name
DELETE FROM users WHERE id = @id AND name = @name;

-- name: Positional :many
-- @optional $1
SELECT id FROM users WHERE name = $1;
""",
    }
)


def test_an_annotation_that_the_query_cannot_have_is_shown_at_its_line(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, MISUSED)
    lines = sqlwright("generate").err.splitlines()
    assert [line for line in lines if line.startswith(("error", "  -->", "  help"))] == [
        "error: @page on query PagedOne, which is :one",
        "  --> queries/users.sql:3:1",
        "  help: remove it, or use :many.",
        "error: @count on query CountedExec, which is :exec",
        "  --> queries/users.sql:7:1",
        "  help: remove it, or use :many.",
        "error: @optional on query OptionalBatch, which is :batchexec",
        "  --> queries/users.sql:11:1",
        "  help: remove it, or use a command for one call.",
        "error: @optional on query Positional names `$1`, which is not the name of a parameter",
        "  --> queries/users.sql:15:1",
        "  help: write its name, `name`; the statement is clearer with `@name` for `$1`.",
    ]


UNPAGED = declare(
    {
        "queries/users.sql": """\
-- name: Skipped :many
-- @page
SELECT id FROM users ORDER BY id
LIMIT @page_size OFFSET @skipped;

-- name: Fixed :many
-- @page
SELECT id FROM users ORDER BY id LIMIT 10;
""",
    }
)


def test_what_has_no_pages_is_shown_in_the_statement(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, UNPAGED)
    done = sqlwright("generate")
    assert [line for line in done.err.splitlines() if line.startswith(("error", "  -->"))] == [
        "error: query Skipped: @page on a statement that has OFFSET",
        "  --> queries/users.sql:4:18",
        "error: query Fixed: @page with `LIMIT 10`, while the size of a page is a parameter by itself, which is used nowhere else",
        "  --> queries/users.sql:8:34",
    ]


KEYED = declare({"queries/users.sql": "-- name: Keyed :one\n-- @optional id\nSELECT name FROM users WHERE id = @id;\n"})


def test_a_row_that_only_an_optional_key_finds_is_a_warning_that_says_so(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, KEYED)
    err = sqlwright("generate").err
    assert "Keyed is :one, but is not proven to return at most one row without `id`, which is optional: " in err
