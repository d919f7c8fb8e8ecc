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
    query: Annotated[str, typer.Argument(help="The query: GetUser, or users.sql:GetUser.", show_default=False)],
    column: Annotated[str, typer.Argument(help="Only this column.", show_default=False)] = "",
    config: ConfigOption = CONFIG,
    form: FormatOption = Format.TEXT,
) -> None:
    """Explain why a column may or may not be None, and how many rows a query returns.

    Each verdict has its reason in one sentence and the place in the query that it is based on.

    Examples:
      sqlwright why GetUserByEmail

      sqlwright why users.sql:GetUserByEmail phone

      sqlwright why GetUserByEmail --format json
    """
    with findings(form):
        with progress() as report:
            compilations = compile_project(read_configuration(config), os.environ, anew=False, report=report)
        from sqlwright.cli.verdicts import find_query, find_verdicts, stand_ins_of

        found = find_query(query, compilations)
        # Another server has the real extensions.
        stand_ins = () if os.environ.get(URL_VARIABLE) else stand_ins_of(found, compilations)
        verdicts = find_verdicts(found, column, stand_ins)
    if form is Format.JSON:
        print_json(verdicts.as_json())
    else:
        verdicts.show()
