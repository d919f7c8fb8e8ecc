"""Several codegen entries in one sqlc.yaml: what is said of each, and what is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Sqlwright, tree
from tests.support.small_project import CONFIGURATION, declare, write_files

_HEAD, _BLOCK = CONFIGURATION.split("sql:\n", 1)
MORE = {"reports/reports.sql": "-- name: CountUsers :one\nSELECT count(*) FROM users;\n"}


def entries(*outs: str, queries: str = "queries") -> str:
    """Return a configuration with a block for each `out`, which options may follow."""
    blocks = [_BLOCK.replace("generated/app_db", out).replace("queries: queries", f"queries: {queries}") for out in outs]
    return f"{_HEAD}sql:\n{''.join(blocks)}"


@pytest.mark.parametrize("command", ["generate", "check", "inspect"])
def test_two_entries_with_the_same_folder_are_an_error_at_both(project: Path, sqlwright: Sqlwright, command: str) -> None:
    write_files(project, {"sqlc.yaml": entries("generated/app_db", "./generated//other/../app_db/")} | MORE)
    before = tree(project)
    done = sqlwright(command)
    assert done.code == 1
    assert done.err.startswith(
        "error: two codegen entries of sqlc.yaml have the same `out`: ./generated//other/../app_db/\n"
        "  --> sqlc.yaml:18:14\n"
        "     |\n"
        "  18 |         out: ./generated//other/../app_db/\n"
        "     |              ^\n"
        "  ::: sqlc.yaml:12:14\n"
        "     |\n"
        "  12 |         out: generated/app_db\n"
        "     |              ^ the first entry is here\n"
        "  help: "
    )
    assert tree(project) == before


OPTIONS = declare(
    {
        "sqlc.yaml": entries(
            "generated/a",
            "generated/b\n        options: {model: frozen}",
            "generated/c\n        options: {clients: sync, model: tuple}",
            "generated/d\n        options:\n          model: tuple",
        )
    }
)


def test_a_bad_value_is_reported_at_each_entry_that_has_it(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, OPTIONS)
    done = sqlwright("generate")
    places = [line for line in done.err.splitlines() if line.startswith("  --> ")]
    assert places == ["  --> sqlc.yaml:26:34", "  --> sqlc.yaml:34:11"]
    assert done.err.count('error: bad value for option "model": "tuple"') == 2


TWICE = """\
-- name: GetUser :one
SELECT name FROM users WHERE id = $1;

-- name: LastUser :one
SELECT max(name) AS name FROM users;

-- name: AllUsers :one
SELECT name FROM users;
"""
ELSEWHERE = {"elsewhere/users.sql": "-- name: GetUser :one\nSELECT lower(name) AS name FROM users WHERE id = $1;\n"}
TWO = declare(
    {
        "sqlc.yaml": entries("generated/a", "./generated/b")
        + _BLOCK.replace("queries: queries", "queries: elsewhere").replace("generated/app_db", "generated/c"),
        "queries/users.sql": TWICE,
        **ELSEWHERE,
    }
)


def test_a_query_of_several_packages_is_explained_once_where_the_verdicts_are_the_same(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, TWO)
    expected = sqlwright("why", "queries/users.sql:GetUser")
    assert (expected.code, expected.out.splitlines()[0]) == (0, "GetUser :one  queries/users.sql:1:10")
    assert sqlwright("why", "generated/b/:GetUser") == expected
    ambiguous = sqlwright("why", "GetUser")
    help_ = "  help: specify one of generated/a:GetUser, ./generated/b:GetUser, generated/c:GetUser.\n"
    assert (ambiguous.code, ambiguous.err) == (1, f"error: 3 queries are named GetUser\n{help_}")
    unknown = sqlwright("why", "generated/c:LastUser")
    assert unknown.err == "error: there is no query generated/c:LastUser\n  help: there are: AllUsers, GetUser, LastUser.\n"
    assert "did you mean AllUsers or all_users" in sqlwright("inspect", "AllUser").err


def test_a_warning_about_a_shared_file_is_shown_once(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, TWO)
    done = sqlwright("generate")
    assert done.err.count("warning: ") == 1
    assert ", 1 warning, " in done.out


def test_a_missing_server_is_reported_once_for_all_packages(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, TWO)
    unreachable = "postgres://127.0.0.1:1/none"
    done = sqlwright("generate", SQLWRIGHT_DATABASE_URL=unreachable)
    assert done.err.count("error: ") == 1
    assert "; 7 of 7 queries have no valid proof on record\n" in done.err
    sqlwright("generate")
    checked = sqlwright("check", SQLWRIGHT_DATABASE_URL=unreachable)
    assert checked.code == 0
    assert checked.err.count("nothing was proven anew; the recorded proofs were reused: ") == 1


def test_an_unreachable_database_of_sqlc_is_an_error_at_its_key(project: Path, sqlwright: Sqlwright) -> None:
    database = "    database:\n      uri: postgres://nobody:s3cret@127.0.0.1:1/none\n    codegen:\n"
    write_files(project, {"sqlc.yaml": CONFIGURATION.replace("    codegen:\n", database)})
    done = sqlwright("generate")
    assert done.err == (
        "error: sqlc cannot connect to the `database:` of sqlc.yaml\n  --> sqlc.yaml:11:7\n"
        "  help: start that server and correct `uri:`, or remove `database:`: the proof does not need it.\n"
        "\n1 error; nothing was written.\n"
    )
