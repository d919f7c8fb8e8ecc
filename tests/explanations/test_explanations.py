"""The catalogue of diagnostics: complete, true, and what docs/errors.md says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sqlwright.diagnostics import Code
from sqlwright.explanations import EXPLANATIONS, SECTIONS
from sqlwright.explanations.examples import QUERY, SCHEMA, Example
from tests.support.program import environment

_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_BIN = Path(sys.executable).parent
# The program and the plugin, which report the codes of what they show.
_PROGRAM = f"""\
#!{sys.executable}
import sys
from sqlwright import cli, plugin
from sqlwright.cli import console
from sqlwright.diagnostics import format_diagnostic

def shown(diagnostic):
    print("code:", diagnostic.code, file=sys.stderr, flush=True)
    return format_diagnostic(diagnostic)

console.format_diagnostic = plugin.format_diagnostic = shown
{{}}
"""
_PLUGIN = "plugins:\n  - name: sqlwright\n    process: {cmd: sqlwright-plugin, format: json}\n    env: [SQLWRIGHT_DATABASE_URL]\n"
_OF_SQL = [code for code, found in EXPLANATIONS.items() if found.example.is_about_sql]


def block(folder: str, example: Example) -> str:
    options = f"\n        options: {example.options}" if example.options else ""
    return (
        f"  - engine: postgresql\n    schema: {folder}schema.sql\n    queries: {folder}query.sql\n"
        f"    codegen:\n      - plugin: sqlwright\n        out: {folder}my_db{options}\n"
    )


def codes(project: Path, example: Example, server: str) -> set[str]:
    """The codes that an example brings about in a project."""
    programs = project.parent / "programs"
    programs.mkdir(exist_ok=True)
    for name, call in (("sqlwright", "cli.app(prog_name='sqlwright')"), ("sqlwright-plugin", "plugin.main()")):
        (programs / name).write_text(_PROGRAM.format(call), encoding="utf-8")
        (programs / name).chmod(0o755)
    environ = environment({"SQLWRIGHT_DATABASE_URL": server, "PATH": os.pathsep.join(map(str, (programs, _BIN, os.environ["PATH"])))})
    for script, variables in ((example.setup, ()), (example.command, example.environ)):
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=project,
            env=environ | dict(variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    return {line.removeprefix("code: ") for line in done.stderr.splitlines() if line.startswith("code: ")}


def test_every_code_is_explained_once() -> None:
    assert sorted(code for section in SECTIONS.values() for code in section) == sorted(Code)


def test_every_example_in_sql_has_its_code(tmp_path: Path, proof_server: str) -> None:
    # Warnings show only where nothing is an error.
    errors, seen = True, set[str]()
    while missing := [code for code in _OF_SQL if code not in seen]:
        project = tmp_path / str(len(seen)) / "project"
        project.mkdir(parents=True)
        blocks: list[str] = []
        for code in missing:
            example = EXPLANATIONS[code].example
            (project / code).mkdir()
            (project / code / "query.sql").write_text(example.query, encoding="utf-8")
            (project / code / "schema.sql").write_text(example.schema, encoding="utf-8")
            blocks.append(block(f"{code}/", example))
        (project / "sqlc.yaml").write_text(f'version: "2"\n{_PLUGIN}sql:\n{"".join(blocks)}', encoding="utf-8")
        found = codes(project, Example(), proof_server) & set(missing)
        assert found, missing
        assert errors or found == set(missing), sorted(set(missing) - found)
        errors, seen = False, seen | found


@pytest.mark.parametrize("code", [code for code in EXPLANATIONS if code not in _OF_SQL])
def test_an_example_has_its_code(code: Code, tmp_path: Path, proof_server: str) -> None:
    example = EXPLANATIONS[code].example
    project = tmp_path / "project"
    project.mkdir()
    (project / "query.sql").write_text(example.query, encoding="utf-8")
    (project / "schema.sql").write_text(example.schema, encoding="utf-8")
    (project / "sqlc.yaml").write_text(f'version: "2"\n{_PLUGIN}sql:\n{block("", example)}', encoding="utf-8")
    assert code in codes(project, example, proof_server)


def test_the_page_is_up_to_date(rewrite_golden: bool) -> None:
    page = "\n".join(lines())
    if rewrite_golden:
        _PAGE.write_text(page, encoding="utf-8")
    assert _PAGE.read_text(encoding="utf-8") == page, "run: pytest tests/explanations --rewrite-golden"


def lines() -> Iterator[str]:
    yield "# Errors and warnings"
    yield ""
    yield "Every diagnostic of the compiler has a code, which `--format json` shows. This page is generated from the catalogue in"
    yield "[`explanations`](../src/sqlwright/explanations/__init__.py): what each code means, how to fix it,"
    yield "and an example that a test runs."
    yield ""
    yield "Unless an example says otherwise, it is a project with this `schema.sql`, `query.sql` and `sqlc.yaml`:"
    yield ""
    yield from fenced("sql", SCHEMA)
    yield from fenced("sql", QUERY)
    yield from fenced("yaml", f'version: "2"\n{_PLUGIN}sql:\n{block("", Example())}')
    for heading, section in SECTIONS.items():
        yield f"## {heading}"
        yield ""
        yield from explained(section)


def explained(section: Mapping[Code, object]) -> Iterator[str]:
    for code in sorted(section):
        found = EXPLANATIONS[code]
        example = found.example
        yield f"### {code}"
        yield ""
        yield f"**{found.title}.** {found.meaning}"
        yield ""
        yield f"**What to do:** {found.fix}"
        yield ""
        if example.schema != SCHEMA:
            yield from fenced("sql", f"-- schema.sql\n{example.schema}")
        if example.query != QUERY:
            yield from fenced("sql", f"-- query.sql\n{example.query}")
        if example.options:
            yield from fenced("yaml", f"# sqlc.yaml, under the codegen entry\noptions: {example.options}\n")
        variables = "".join(f"{name}={value} " for name, value in example.environ)
        if not example.is_about_sql:
            setup = "" if example.setup in {"", ":"} else f"$ {example.setup}\n"
            yield from fenced("console", f"{setup}$ {variables}{example.command}\n")


def fenced(language: str, text: str) -> Iterator[str]:
    yield f"```{language}\n{text}```\n"
