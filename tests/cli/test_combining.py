"""Entries that share a schema are read by sqlc as one: what the compiler learns is what a run over each of them says."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sqlwright.diagnostics import Diagnostic
from sqlwright.project import combining, sqlc
from sqlwright.project.combining import Answers
from sqlwright.project.configuration import Configuration, Entry, read_configuration
from sqlwright.resolve.protocol import GenerateRequest
from tests.support.program import Sqlwright
from tests.support.small_project import write_project
from tests.support.sqlc import LIMITS

pytestmark = pytest.mark.programs

# What the request for a combined block has of its own; the compiler gets that of each entry.
_OF_THE_BLOCK = {"queries", "codegen"}


@dataclass(frozen=True)
class Heard:
    """What the compiler learns from sqlc, and sqlc's requests themselves."""

    requests: dict[Entry, GenerateRequest]
    complaints: tuple[Diagnostic, ...]
    raw: list[dict[str, Any]]


def block(queries: str | list[str], *codegen: Mapping[str, object], **settings: object) -> dict[str, object]:
    """A block over the schema of users."""
    entries = [{"plugin": "sqlwright", **entry} for entry in codegen]
    return {"engine": "postgresql", "schema": "migrations", "queries": queries, "codegen": entries, **settings}


def configuration(blocks: Iterable[Mapping[str, object]]) -> str:
    """A sqlc.yaml with two plugins of ours, one of them with global options."""
    process = {"cmd": "sqlwright-plugin", "format": "json"}
    plugins = [{"name": name, "process": process, "env": ["SQLWRIGHT_DATABASE_URL"]} for name in ("sqlwright", "another")]
    options = {"another": {"clients": "both"}}
    return json.dumps({"version": "2", "plugins": plugins, "options": options, "sql": list(blocks)}, indent=1, ensure_ascii=False)


def query(name: str) -> str:
    return f"-- {name} of the users.\n-- name: {name} :many\nSELECT id, name FROM users WHERE id > @{name.lower()}_id ORDER BY id;\n\n"


def heard(answers: Answers, folder: Path) -> Heard:
    """Take all requests, then the complaints; the folder is where sqlc's files are."""
    requests = dict(answers.requests())
    return Heard(requests, answers.complaints(), [json.loads(path.read_bytes()) for path in folder.glob("*/requests/*")])


def combined_and_apart(config: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Heard, Heard]:
    """What is learned about the entries combined, and about each of them alone."""
    read: Configuration = read_configuration(config)
    found: list[Heard] = []
    for reading in (combining.reading, sqlc.reading):
        folder = Path(tempfile.mkdtemp(dir=config.parent))
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        with reading(read, os.environ | LIMITS) as answers:
            found.append(heard(answers, folder))
    return found[0], found[1]


_OPTIONS: tuple[object, ...] = (
    None,
    {},
    {"clients": "async", "package": "some.where"},
    {"rename": {"<a>": "é & \U0001f600", "b": "x, ]"}, "overrides": [{"db_type": "text", "python_type": "a.B"}]},
    {"strict_one": True, "query_parameter_limit": 10**12, "number": 1.50, "none": None},
    "a text",
)
_FILES = {
    **{f"queries/{number}/query.sql": query(f"Get{number}") for number in range(len(_OPTIONS))},
    "queries/many/b.sql": query("B1") + query("B2"),
    "queries/many/a.sql": query("A1") + query("A2"),
    "queries/many/passed_over.txt": "",
    "queries/many/1_passed_over.down.sql": query("Down"),
    "queries/again/query.sql": query("Get0"),
    "queries/other/query.sql": query("Other"),
}
_BLOCKS = (
    *(block(f"queries/{number}", {"out": f"out/{number}", "options": options}) for number, options in enumerate(_OPTIONS)),
    # Two entries of one block, and a file that is in three entries.
    block(["queries/many/b.sql", "queries/many/a.sql"], {"out": "out/many"}, {"out": "out/more", "options": {"clients": "sync"}}),
    block("queries/many", {"out": "out/sorted"}, name="sorted", gen={"json": {"out": "x"}}),
    block(["queries/1", "queries/many/a.sql"], {"out": "out/mixed", "options": {}}),
    # Those that sqlc cannot read together with the others: a name is used twice, and settings differ.
    block("queries/again", {"out": "out/again"}),
    block("queries/other", {"out": "out/strict"}, strict_function_checks=True),
    block("queries/other", {"out": "out/loose"}, schema=["migrations/1_users.sql"]),
    block("queries/other", {"out": "out/another", "plugin": "another"}),
)


def test_the_requests_split_from_a_combined_one_are_those_of_each_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = write_project(tmp_path, {**_FILES, "sqlc.yaml": configuration(_BLOCKS)})
    combined, apart = combined_and_apart(project / "sqlc.yaml", monkeypatch)
    entries = len(read_configuration(project / "sqlc.yaml").entries)
    assert (len(apart.requests), len(apart.raw), len(combined.raw)) == (entries, entries, 5)
    assert combined.requests == apart.requests
    assert combined.complaints == apart.complaints == ()
    # What the compiler does not read is the same too.
    for alone in apart.raw:
        assert any(_has_all_of(together, alone) for together in combined.raw)


def _has_all_of(together: Mapping[str, Any], alone: Mapping[str, Any]) -> bool:
    """Whether a combined request has everything of an entry's own but the options, the file names, and the place of the output."""
    queries = [{**each, "filename": ""} for each in together["queries"]]
    settings = [{key: value for key, value in each["settings"].items() if key not in _OF_THE_BLOCK} for each in (together, alone)]
    return (
        settings[0] == settings[1]
        and all({**each, "filename": ""} in queries for each in alone["queries"])
        and all(together[key] == alone[key] for key in alone if key not in {"settings", "queries", "plugin_options"})
    )


def test_errors_of_combined_entries_are_those_of_each_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {f"queries/{number}/query.sql": query("A").replace("name FROM", "nope FROM") for number in (1, 2)}
    without = {"queries/0/query.sql": "SELECT 1;\n"}
    files = {f"queries/{number}/query.sql": query(f"Get{number}") for number in range(9)}
    blocks = [block(f"queries/{number}", {"out": f"out/{number}"}) for number in range(9)]
    project = write_project(tmp_path, {**files, **wrong, **without, "sqlc.yaml": configuration(blocks)})
    combined, apart = combined_and_apart(project / "sqlc.yaml", monkeypatch)
    assert len(apart.requests) == len(blocks) - len(wrong) - len(without)
    assert {each.place.file for each in apart.complaints if each.place} == {*wrong, "sqlc.yaml"}
    assert "there is no query in queries/0" in [each.message for each in apart.complaints]
    assert (combined.requests, combined.complaints) == (apart.requests, apart.complaints)


def test_packages_of_combined_entries_have_their_own_queries_and_options(project: Path, sqlwright_process: Sqlwright) -> None:
    files = {f"queries/{number}/query.sql": query(f"Get{number}") for number in range(10)}
    blocks = [block(f"queries/{n}", {"out": f"out/p{n}", "options": {"clients": "async" if n % 2 else "sync"}}) for n in range(10)]
    write_project(project, {**files, "sqlc.yaml": configuration(blocks)})
    done = sqlwright_process("generate")
    assert (done.code, done.err) == (0, "")
    for number in range(10):
        module = (project / f"out/p{number}/query.py").read_text(encoding="utf-8")
        assert f"{'async ' if number % 2 else ''}def get{number}(" in module
        assert module.count("def ") == 1
