"""`inspect`: print the proven packages as JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sqlwright.cli.console import findings, print_json
from sqlwright.cli.options import ConfigOption
from sqlwright.cli.progress import progress
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.project.compilation import compile_project
from sqlwright.project.configuration import CONFIG, read_configuration

if TYPE_CHECKING:
    from sqlwright import ir


def inspect(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Only this query, by its name in SQL or its function's name.", show_default=False)
    ] = "",
    config: ConfigOption = CONFIG,
) -> None:
    """Print what is proven about the queries, as JSON.

    The document has `packages`, each with `out`, `modules`, `models` and `enums`. A module's queries have their SQL, parameters and
    result, and each column its type, the table column it comes from, and the reason why it may or may not be NULL. Where a value has
    one of several forms, `kind` names it. With NAME, only the queries of that name, as a list.

    Examples:
      sqlwright inspect

      sqlwright inspect GetUserByEmail

      sqlwright inspect | jq '.packages[].modules[].queries[].name'
    """
    with findings():
        with progress() as report:
            compilations = compile_project(read_configuration(config), os.environ, anew=False, report=report)
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

        close = difflib.get_close_matches(
            name, list(dict.fromkeys(each for query in queries for each in (query.name, query.function))), n=3
        )
        meant = f"did you mean {' or '.join(close)}?" if close else "`sqlwright inspect` without a name shows all queries."
        raise CompileError([Diagnostic(Code.UNKNOWN_QUERY, f"there is no query {name}", help=meant)])
    return found
