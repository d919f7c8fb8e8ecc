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
        "warning: query Rename: sqlc.narg accepts None for `name`, which is written to `users.name`, and that refuses NULL",
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
