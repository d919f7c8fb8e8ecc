"""`check`: compare the generated files with what would be generated."""

from __future__ import annotations

import os

import typer

from sqlwright.cli.console import findings, progress
from sqlwright.cli.options import ConfigOption, Format, FormatOption
from sqlwright.project.compilation import compile_project
from sqlwright.project.configuration import CONFIG


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
        from sqlwright.project.folder import compare

        comparison = compare(config.absolute().parent, compilations)
    from sqlwright.cli.results import show_checked

    show_checked(config, compilations, comparison, form)
    if comparison.differences:
        raise typer.Exit(1)
