"""The catalogue of diagnostics: complete, true, and what docs/errors.md says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from sqlwright.cli import console
from sqlwright.diagnostics import Code, Diagnostic, format_diagnostic
from sqlwright.explanations import EXPLANATIONS, SECTIONS
from sqlwright.explanations.examples import QUERY, SCHEMA, Example
from tests.support import sqlc
from tests.support.program import environment, run_here
from tests.support.sqlc import LIMITS, Recordings

_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_BIN = Path(sys.executable).parent
# The plugin, which reports the codes of what it shows.
_REPORTING_PLUGIN = f"""\
#!{sys.executable}
import sys
from sqlwright import plugin
from sqlwright.diagnostics import format_diagnostic

def shown(diagnostic):
    print("code:", diagnostic.code, file=sys.stderr)
    return format_diagnostic(diagnostic)

plugin.format_diagnostic = shown
plugin.main()
"""
_PLUGIN = "plugins:\n  - name: sqlwright\n    process: {cmd: sqlwright-plugin, format: json}\n    env: [SQLWRIGHT_DATABASE_URL]\n"
_OF_SQL = [code for code, found in EXPLANATIONS.items() if found.example.is_about_sql]


def block(folder: str, example: Example) -> str:
    options = f"\n        options: {example.options}" if example.options else ""
    return (
        f"  - engine: postgresql\n    schema: {folder}schema.sql\n    queries: {folder}query.sql\n"
        f"    codegen:\n      - plugin: sqlwright\n        out: {folder}my_db{options}\n"
    )


def write(project: Path, example: Example) -> Path:
    """Write the project of an example and return its configuration."""
    project.mkdir(parents=True)
    (project / "query.sql").write_text(example.query, encoding="utf-8")
    (project / "schema.sql").write_text(example.schema, encoding="utf-8")
    (project / "sqlc.yaml").write_text(f'version: "2"\n{_PLUGIN}sql:\n{block("", example)}', encoding="utf-8")
    return project / "sqlc.yaml"


def _write_all(folder: Path) -> Iterable[Path]:
    """Write the projects of examples that only the answer of sqlc, and no crash of it, is needed for."""
    examples = {code: EXPLANATIONS[code].example for code in EXPLANATIONS if code not in _OF_SQL and code is not Code.SQLC_CRASHED}
    projects = {(example.query, example.schema, example.options): write(folder / code, example) for code, example in examples.items()}
    return projects.values()


sqlc.declare(_write_all)


def codes(project: Path, example: Example, server: str, recordings: Recordings | None = None) -> set[str]:
    """Run an example in a project and return the codes of its diagnostics."""
    environ = {"SQLWRIGHT_DATABASE_URL": server, "PATH": os.pathsep.join((str(_BIN), os.environ["PATH"]))}
    if example.setup:
        bash(example.setup, project, environ)
    environ |= LIMITS | dict(example.environ)
    program, *arguments = shlex.split(example.command)
    if program == "sqlwright":
        found: list[Code] = []

        def shown(diagnostic: Diagnostic) -> str:
            found.append(diagnostic.code)
            return format_diagnostic(diagnostic)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(console, "format_diagnostic", shown)
            run_here(project, tuple(arguments), environ, recordings)
        return set(found)
    programs = project.parent / "programs"
    programs.mkdir()
    (programs / "sqlwright-plugin").write_text(_REPORTING_PLUGIN, encoding="utf-8")
    (programs / "sqlwright-plugin").chmod(0o755)
    done = bash(example.command, project, environ | {"PATH": f"{programs}{os.pathsep}{environ['PATH']}"})
    # A run that is interrupted shows text.
    return set(re.findall("^code: (.*)$", done, re.MULTILINE)) | {
        "interrupted" for _ in re.findall("^error: stopped by ", done, re.MULTILINE)
    }


def bash(script: str, project: Path, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["/bin/bash", "-c", script], cwd=project, env=environment(environ), capture_output=True, text=True, check=False, timeout=120
    )
    return done.stderr


def test_every_code_is_explained_once() -> None:
    assert sorted(code for section in SECTIONS.values() for code in section) == sorted(Code)


@pytest.mark.programs
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


@pytest.mark.programs
@pytest.mark.parametrize("code", [code for code in EXPLANATIONS if code not in _OF_SQL])
def test_an_example_has_its_code(code: Code, tmp_path: Path, proof_server: str, recordings: Recordings) -> None:
    example = EXPLANATIONS[code].example
    project = tmp_path / "project"
    write(project, example)
    assert code in codes(project, example, proof_server, recordings)


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
