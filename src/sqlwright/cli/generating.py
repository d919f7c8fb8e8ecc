"""`generate`, `check` and `inspect`: the commands that compile.

What they need behind sqlc is imported behind it: sqlc takes longest, so it is started first.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sqlwright.cli.compilation import compile_project
from sqlwright.cli.configuration import CONFIG
from sqlwright.cli.console import Format, FormatOption, findings, print_json, progress
from sqlwright.cli.updating import update
from sqlwright.diagnostics import CompileError, Diagnostic

if TYPE_CHECKING:
    from sqlwright import ir

ConfigOption = Annotated[Path, typer.Option("--config", "-f", help="sqlc's configuration. Paths in it are relative to its folder.")]


def generate(config: ConfigOption = CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Write the typed Python functions for all queries.

    sqlc reads the queries, PostgreSQL proves their types, and the files under `out` of sqlc.yaml are brought up to date: only those that
    differ are written, and generated files that no query needs any more are removed. On any error nothing is written. A file that
    sqlwright did not write is never overwritten or removed.

    Examples:
      sqlwright generate

      sqlwright generate --config services/shop/sqlc.yaml

      sqlwright generate --format json | jq .files.changed
    """
    started = time.monotonic()
    with findings(form, "; nothing was written."), progress() as report:
        done = update(config, os.environ, report)
    from sqlwright.cli.results import show_generated

    show_generated(config, done, form, time.monotonic() - started)


def check(config: ConfigOption = CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Return whether the generated files are what the queries say. Writes nothing.

    Every query is proven anew and the result is compared with the folder: changed, missing and orphaned files are shown with their diff,
    and the exit code is 1. Meant for continuous integration, and for a look before `generate`. Without a PostgreSQL to ask, the proofs on
    record are believed, and a warning says so.

    Examples:
      sqlwright check

      sqlwright check --format json
    """
    with findings(form), progress() as report:
        compilations = compile_project(config, os.environ, anew=True, report=report)
        from sqlwright.cli.folder import compare

        comparison = compare(_project(config), compilations)
    from sqlwright.cli.results import show_checked

    show_checked(config, compilations, comparison, form)
    if comparison.differences:
        raise typer.Exit(1)


def inspect(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Only this query, by its name in SQL or its function's name.", show_default=False)
    ] = "",
    config: ConfigOption = CONFIG,
) -> None:
    """Print what is proven about the queries, as JSON.

    The document holds `packages`, each with `out`, `modules`, `models` and `enums`. A module's queries have their SQL, parameters and
    result, and each column its type, the table column it comes from, and the reason why it may or may not be NULL. Where a value has
    several forms, `kind` names the one. With NAME, only the queries of that name, as a list.

    Examples:
      sqlwright inspect

      sqlwright inspect GetUserByEmail

      sqlwright inspect | jq '.packages[].modules[].queries[].name'
    """
    with findings():
        with progress() as report:
            compilations = compile_project(config, os.environ, anew=False, report=report)
        from sqlwright.cli.description import describe

        if not name:
            print_json({"packages": [{"out": c.out, **describe(c.package)} for c in compilations]})
            return
        queries = [query for compilation in compilations for module in compilation.package.modules for query in module.queries]
        print_json([describe(query) for query in _named(queries, name)])


def _named(queries: list[ir.Query], name: str) -> list[ir.Query]:
    found = [query for query in queries if name in (query.name, query.function)]
    if not found:
        import difflib

        close = difflib.get_close_matches(name, [each for query in queries for each in (query.name, query.function)], n=3)
        meant = f"did you mean {' or '.join(close)}?" if close else "`sqlwright inspect` without a name shows all."
        raise CompileError([Diagnostic(f"there is no query {name}", help=meant)])
    return found


def _project(config: Path) -> Path:
    return config.absolute().parent
