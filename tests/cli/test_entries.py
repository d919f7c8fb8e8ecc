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
