"""`generate`: write the generated files. Modules that show the result are imported while sqlc runs, which takes longest."""

from __future__ import annotations

import os
import time

from sqlwright.cli.console import findings
from sqlwright.cli.options import ConfigOption, Format, FormatOption
from sqlwright.cli.progress import progress
from sqlwright.project.configuration import CONFIG
from sqlwright.project.updating import update


def generate(config: ConfigOption = CONFIG, form: FormatOption = Format.TEXT) -> None:
    """Write the typed Python functions for all queries.

    sqlc reads the queries, PostgreSQL proves their types, and the files under `out` of sqlc.yaml are brought up to date: only those that
    differ are written, and generated files that are no longer needed are removed. On any error nothing is written. A file that sqlwright
    did not write is never overwritten or removed.

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
