"""`why`: the verdict on each column and parameter and on the row count of a query, with its reason and place."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sqlwright.cli.console import findings, print_json
from sqlwright.cli.options import ConfigOption, Format, FormatOption
from sqlwright.cli.progress import progress
from sqlwright.postgres.server import URL_VARIABLE
from sqlwright.project.compilation import compile_project
from sqlwright.project.configuration import CONFIG, read_configuration


def why(
    query: Annotated[str, typer.Argument(help="The query: GetUser, users.sql:GetUser, or OUT:GetUser.", show_default=False)],
    column: Annotated[str, typer.Argument(help="Only this column, or embedded row.", show_default=False)] = "",
    without: Annotated[
        list[str], typer.Option(metavar="PARAMETER", help="Leave out an optional parameter; may be repeated.", show_default=False)
    ] = [],  # noqa: B006 - typer makes a new list for each call
    order: Annotated[str, typer.Option(metavar="NAME", help="The order, instead of the default one.", show_default=False)] = "",
    config: ConfigOption = CONFIG,
    form: FormatOption = Format.TEXT,
) -> None:
    """Explain why a column may or may not be None, and how many rows a query returns.

    Each verdict has its reason in one sentence and the place in the query that it is based on. With --without or --order, the statement of
    a variant is shown: its verdicts are those of the query, which hold for all variants. That of a patch, and those of pages, are always
    shown.

    Examples:
      sqlwright why GetUserByEmail

      sqlwright why users.sql:GetUserByEmail phone

      sqlwright why GetUserByEmail --format json

      sqlwright why FindOrders --without status --without since --order largest
    """
    with findings(form):
        with progress() as report:
            compilations = compile_project(read_configuration(config), os.environ, anew=False, report=report)
        from sqlwright.cli.verdicts import find_query, find_variant, find_verdicts, stand_ins_of

        found = find_query(query, compilations)
        # Another server has the real extensions.
        stand_ins = () if os.environ.get(URL_VARIABLE) else stand_ins_of(found, compilations)
        verdicts = find_verdicts(found, column, stand_ins, find_variant(found, without, order))
    if form is Format.JSON:
        print_json(verdicts.as_json())
    else:
        verdicts.show()
