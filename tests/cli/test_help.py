"""What the program says of itself, and of wrong usage."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

import sqlwright
from sqlwright.postgres import embedded
from tests.support.program import run_here, run_process


def test_the_versions_are_those_of_what_runs(tmp_path: Path) -> None:
    lines = run_process(tmp_path, ("--version",), {}).out.splitlines()
    assert lines[0] == f"sqlwright {sqlwright.__version__}"
    assert lines[1] == "sqlc 1.31.1"
    assert lines[2].startswith(f"psycopg {psycopg.__version__} (libpq ")
    assert re.fullmatch(r"dbmate 2\.\d+\.\d+", lines[3])
    assert lines[4] == f"embedded server: PostgreSQL {embedded.MAJOR}"


@pytest.mark.parametrize("arguments", [("--help",), ("-h",)])
def test_help_shows_how_to_get_started(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_here(tmp_path, arguments, {})
    assert done.code == 0
    for words in ("sqlwright db new", "sqlwright db up", "sqlwright generate", "sqlwright check", "Exit codes: 0 success, 1 errors"):
        assert words in done.out


@pytest.mark.parametrize("command", ["generate", "check", "inspect", "db shell", "db url"])
def test_help_of_a_command_shows_an_example(tmp_path: Path, command: str) -> None:
    done = run_here(tmp_path, (*command.split(), "--help"), {})
    assert done.code == 0
    examples = done.out.split("Example", 1)[1]
    assert f"sqlwright {command}" in examples


@pytest.mark.parametrize("command", ["up", "down", "status", "reset", "url", "shell", "stop", "new"])
def test_every_database_command_is_explained(tmp_path: Path, command: str) -> None:
    listed = run_here(tmp_path, ("db", "--help"), {}).out
    assert re.search(rf"│ {command} +[A-Z]\w+ .*", listed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # The words around these are typer's, and change with its versions.
        (("generat",), "No such command 'generat'"),
        (("generate", "--formatt", "json"), "--formatt"),
        (("generate", "--format", "xml"), "'xml' is not one of 'text', 'json'"),
        (("generate", "extra"), "(extra)"),
        (("db", "down", "--steps", "0"), "Invalid value for '--steps'"),
        (("db", "new"), "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_the_mistake(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run_here(tmp_path, arguments, {})
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.replace("│", " ").split())
