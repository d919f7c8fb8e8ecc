"""`check`: compare the generated files with a fresh generation."""

from __future__ import annotations

import os

import typer

from sqlwright.cli.console import findings
from sqlwright.cli.options import ConfigOption, Format, FormatOption
from sqlwright.cli.progress import progress
from sqlwright.project.configuration import CONFIG
from sqlwright.project.updating import examine


def check(config: ConfigOption = CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Check that the generated files are up to date with the queries, without writing any.

    Every query is re-proven and the result is compared with the folder: changed, missing and orphaned files are shown with their diff,
    and the exit code is 1. If the embedded server has already proven the same and no file has changed since, that result is used.
    Meant for continuous integration, and as a preview of `generate`. Without a PostgreSQL to ask, the recorded proofs are trusted,
    with a warning.

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
