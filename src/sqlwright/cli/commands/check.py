"""`check`: compare the generated files with what would be generated."""

from __future__ import annotations

import os

import typer

from sqlwright.cli.console import findings, progress
from sqlwright.cli.options import ConfigOption, Format, FormatOption
from sqlwright.project.configuration import CONFIG
from sqlwright.project.updating import examine


def check(config: ConfigOption = CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Check that the generated files are what the queries say. Writes no generated file.

    Every query is proven anew and the result is compared with the folder: changed, missing and orphaned files are shown with their diff,
    and the exit code is 1. Where the embedded server has already proven the very same and no file has changed since, that is the answer.
    Meant for continuous integration, and for a look before `generate`. Without a PostgreSQL to ask, the proofs on record are believed,
    and a warning says so.

    Examples:
      sqlwright check

      sqlwright check --format json
    """
    with findings(form), progress() as report:
        outcome = examine(config, os.environ, report)
    from sqlwright.cli.results import show_checked

    show_checked(config, outcome, form)
    if outcome.differences:
        raise typer.Exit(1)
