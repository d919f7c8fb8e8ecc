"""`generate`, `check` and `inspect`: the commands that compile."""

from __future__ import annotations

import difflib
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sqlwright import ir
from sqlwright.cli.compilation import compile_project
from sqlwright.cli.console import Format, FormatOption, diagnostic_json, err, findings, out, print_diagnostics, print_json, progress
from sqlwright.cli.description import describe
from sqlwright.cli.folder import Comparison, Difference, apply, compare
from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.options import Clients
from sqlwright.pipeline import Compilation

ConfigOption = Annotated[Path, typer.Option("--config", "-f", help="sqlc's configuration. Paths in it are relative to its folder.")]

_CONFIG = Path("sqlc.yaml")


def generate(config: ConfigOption = _CONFIG, form: FormatOption = Format.TEXT) -> None:
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
    with findings(form, "; nothing was written."):
        with progress() as report:
            compilations = compile_project(config, os.environ, anew=False, report=report)
            comparison = compare(_project(config), compilations)
        apply(comparison.differences)
    seconds = time.monotonic() - started
    warnings = [warning for compilation in compilations for warning in compilation.warnings]
    if form is Format.JSON:
        print_json(
            {
                "ok": True,
                "packages": [{"out": c.out, "queries": _queries(c), "functions": _functions(c)} for c in compilations],
                "files": _files_json(config, comparison, new="created"),
                "diagnostics": [diagnostic_json(warning) for warning in warnings],
                "seconds": round(seconds, 3),
            }
        )
        return
    print_diagnostics(warnings)
    if warnings:
        err().print()
    _print_summary(config, compilations, comparison, len(warnings), seconds)


def check(config: ConfigOption = _CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Tell whether the generated files are what the queries say. Writes nothing.

    Every query is proven anew and the result is compared with the folder: changed, missing and orphaned files are shown with their diff,
    and the exit code is 1. Meant for continuous integration, and for a look before `generate`. Without a PostgreSQL to ask, the proofs on
    record are believed, and a warning says so.

    Examples:
      sqlwright check

      sqlwright check --format json
    """
    with findings(form), progress() as report:
        compilations = compile_project(config, os.environ, anew=True, report=report)
        comparison = compare(_project(config), compilations)
    warnings = [warning for compilation in compilations for warning in compilation.warnings]
    if form is Format.TEXT:
        print_diagnostics(warnings)
    if form is Format.JSON:
        files = _files_json(config, comparison, new="missing")
        print_json({"ok": not comparison.differences, "files": files, "diagnostics": [diagnostic_json(warning) for warning in warnings]})
    elif comparison.differences:
        for difference in comparison.differences:
            _print_diff(config, difference)
        count = len(comparison.differences)
        err().print(Text.assemble(("error:", "bold red"), f" {count} generated file{'s are' if count > 1 else ' is'} not up to date"))
        for difference in comparison.differences:
            err().print(f"  {difference.kind}: {_shown(config, difference.path)}")
        err().print(Text.assemble(("  help:", "bold cyan"), f" run `sqlwright generate{_config_argument(config)}` and commit the result."))
    else:
        out().print(f"{_count(comparison.unchanged, 'generated file')} up to date.")
    if comparison.differences:
        raise typer.Exit(1)


def inspect(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Only this query, by its name in SQL or its function's name.", show_default=False)
    ] = "",
    config: ConfigOption = _CONFIG,
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
        if not name:
            print_json({"packages": [{"out": c.out, **describe(c.package)} for c in compilations]})
            return
        queries = [query for compilation in compilations for module in compilation.package.modules for query in module.queries]
        print_json([describe(query) for query in _named(queries, name)])


def _named(queries: list[ir.Query], name: str) -> list[ir.Query]:
    found = [query for query in queries if name in (query.name, query.function)]
    if not found:
        close = difflib.get_close_matches(name, [each for query in queries for each in (query.name, query.function)], n=3)
        meant = f"did you mean {' or '.join(close)}?" if close else "`sqlwright inspect` without a name shows all."
        raise CompileError([Diagnostic(f"there is no query {name}", help=meant)])
    return found


def _print_summary(config: Path, compilations: tuple[Compilation, ...], comparison: Comparison, warnings: int, seconds: float) -> None:
    console = out()
    styles = {"missing": ("created", "green"), "changed": ("changed", "yellow"), "orphaned": ("removed", "red")}
    for difference in comparison.differences:
        word, style = styles[difference.kind]
        console.print(Text.assemble((f"{word:>9}", style), f"  {_shown(config, difference.path)}"))
    queries, functions = sum(map(_queries, compilations)), sum(map(_functions, compilations))
    kinds = [difference.kind for difference in comparison.differences]
    written = len(kinds) - kinds.count("orphaned")
    facts = [
        _count(queries, "query", "queries"),
        _count(functions, "function"),
        f"{_count(written, 'file')} written",
        f"{comparison.unchanged} unchanged",
        *([f"{removed} removed"] if (removed := kinds.count("orphaned")) else []),
        *([_count(warnings, "warning")] if warnings else []),
        f"{seconds:.1f} s",
    ]
    console.print(", ".join(facts))


def _print_diff(config: Path, difference: Difference) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference.diff(_shown(config, difference.path)).splitlines():
        out().print(Text(line, styles.get(line[:1], "")))


def _files_json(config: Path, comparison: Comparison, new: str) -> dict[str, Any]:
    kinds = {"missing": new, "changed": "changed", "orphaned": "removed" if new == "created" else "orphaned"}
    listed: dict[str, Any] = {word: [] for word in kinds.values()}
    for difference in comparison.differences:
        listed[kinds[difference.kind]].append(_shown(config, difference.path))
    return {**listed, "unchanged": comparison.unchanged}


def _project(config: Path) -> Path:
    return config.absolute().parent


def _shown(config: Path, path: Path) -> str:
    return Path(os.path.relpath(path, _project(config))).as_posix()


def _config_argument(config: Path) -> str:
    return "" if config == _CONFIG else f" --config {config}"


def _queries(compilation: Compilation) -> int:
    return sum(len(module.queries) for module in compilation.package.modules)


def _functions(compilation: Compilation) -> int:
    return _queries(compilation) * (2 if compilation.options.clients is Clients.BOTH else 1)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
