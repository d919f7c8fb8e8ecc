"""`why`: the verdict on each column, parameter and row count of a query, with its reason and its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sqlwright import ir
from sqlwright.cli.compilation import compile_project
from sqlwright.cli.console import Format, FormatOption, findings, out, print_json, progress
from sqlwright.cli.generating import ConfigOption
from sqlwright.diagnostics import CompileError, Diagnostic, Place
from sqlwright.sources import PlaceInQuery

_CONFIG = Path("sqlc.yaml")
# A proof that is missing is no proof of the contrary.
_ROWS = {
    ir.Cardinality.EXACTLY_ONE: "exactly one",
    ir.Cardinality.AT_MOST_ONE: "at most one",
    ir.Cardinality.MANY: "no limit is proven",
}


def why(
    query: Annotated[str, typer.Argument(help="The query: GetUser, or users.sql:GetUser.", show_default=False)],
    column: Annotated[str, typer.Argument(help="Only this column.", show_default=False)] = "",
    config: ConfigOption = _CONFIG,
    form: FormatOption = Format.TEXT,
) -> None:
    """Say why a column may be None or not, and how many rows a query returns.

    Each verdict comes with its reason in one sentence and the place in the query that it rests on.

    Examples:
      sqlwright why GetUserByEmail

      sqlwright why users.sql:GetUserByEmail phone

      sqlwright why GetUserByEmail --format json
    """
    with findings(form):
        with progress() as report:
            compilations = compile_project(config, os.environ, anew=False, report=report)
        found = _find(query, [q for c in compilations for module in c.package.modules for q in module.queries])
        columns = [c for c in ir.columns_in(ir.fields_of(found.result)) if column in {"", c.sql_name, c.name}]
        if column and not columns:
            names = ", ".join(c.sql_name for c in ir.columns_in(ir.fields_of(found.result))) or "none"
            raise CompileError([Diagnostic(f"query {found.name} returns no column `{column}`", help=f"its columns: {names}.")])
    if form is Format.JSON:
        print_json(_document(found, columns))
    else:
        _print(found, columns, whole=not column)


def _find(wanted: str, queries: list[ir.Query]) -> ir.Query:
    file, _, name = wanted.rpartition(":")
    found = [
        q for q in queries if name in {q.name, q.function} and (not file or f"/{q.source.file}".endswith(f"/{file.removeprefix('./')}"))
    ]
    if len(found) == 1:
        return found[0]
    places = ", ".join(f"{q.source.file}:{q.name}" for q in found)
    raise CompileError(
        [
            Diagnostic(f"{len(found)} queries are called {name}", help=f"say which: {places}.")
            if found
            else Diagnostic(f"there is no query {wanted}", help=f"there are: {', '.join(sorted(q.name for q in queries)) or 'none'}.")
        ]
    )


def _print(query: ir.Query, columns: list[ir.Column], *, whole: bool) -> None:
    console = out()
    console.print(Text.assemble((query.name, "bold"), f" {query.command}  {query.source.header_place()}"))
    if whole:
        console.print(
            Text.assemble("  rows: ", (_ROWS[query.rows.cardinality], "bold"), f": {query.rows.reason}  ", _dim(query.rows.place))
        )
    for column in columns:
        nullable = isinstance(column.type, ir.Nullable)
        verdict = ("may be None", "yellow") if nullable else ("is never None", "green")
        console.print(Text.assemble("  ", (column.sql_name, "bold"), " ", verdict, f": {column.reason}  ", _dim(column.place)))
    for param in query.params if whole else ():
        nullable = isinstance(param.type, ir.Nullable)
        verdict = ("may be None", "yellow") if nullable else ("must not be None", "green")
        console.print(Text.assemble("  parameter ", (param.name, "bold"), " ", verdict, f": {param.reason}"))


def _document(query: ir.Query, columns: list[ir.Column]) -> dict[str, Any]:
    return {
        "query": query.name,
        "command": query.command.value,
        "place": _place_json(query.source.header_place()),
        "rows": {"cardinality": query.rows.cardinality.value, "reason": query.rows.reason, "place": _place_json(query.rows.place.in_file())},
        "columns": [
            {
                "name": c.sql_name,
                "nullable": isinstance(c.type, ir.Nullable),
                "reason": c.reason,
                "place": _place_json(c.place.in_file()) if c.place else None,
            }
            for c in columns
        ],
        "params": [{"name": str(p.name), "nullable": isinstance(p.type, ir.Nullable), "reason": p.reason} for p in query.params],
    }


def _place_json(place: Place) -> dict[str, Any]:
    """As editors count: lines and columns from 1, the end column behind the last character."""
    return {"file": place.file, "line": place.line, "column": place.column, "end_column": place.column + place.width}


def _dim(place: PlaceInQuery | None) -> tuple[str, str]:
    return (f"({place.in_file()})" if place else "", "dim")
