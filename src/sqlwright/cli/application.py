"""The `sqlwright` program: its commands, `--help` and `--version`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sqlwright import __version__
from sqlwright.cli.commands import check, db, generate, inspect, why
from sqlwright.postgres import embedded
from sqlwright.project import programs

_HELP = """\
SQL in, proven Python out.

sqlc reads the queries in your .sql files, PostgreSQL proves their types, and typed psycopg 3 functions come out.

Getting started:

  1. `sqlwright db new create_users` creates a migration; write its SQL.

  2. `sqlwright db up` starts a PostgreSQL for development and migrates it.

  3. Write queries in queries/*.sql, each under a line `-- name: GetUser :one`.

  4. `sqlwright generate` writes their functions; in CI, `sqlwright check` verifies that they are up to date.

Queries are proven on the server that SQLWRIGHT_DATABASE_URL names, else on an embedded PostgreSQL in .sqlwright.

Exit codes: 0 success, 1 errors in your input, 2 wrong usage, 74 success, but the output cannot be written.
"""

app = typer.Typer(
    name="sqlwright",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate.generate)
app.command()(check.check)
app.command()(inspect.inspect)
app.command()(why.why)
app.add_typer(db.app, name="db")


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    import platform

    import psycopg

    libpq = psycopg.pq.version()
    bundled = f"PostgreSQL {embedded.MAJOR}" if embedded.find_binaries() else "not installed"
    lines = (
        f"sqlwright {__version__}",
        f"sqlc {programs.sqlc_version(os.environ) or 'not found'}",
        f"psycopg {psycopg.__version__} (libpq {libpq // 10_000}.{libpq % 10_000})",
        f"dbmate {programs.dbmate_version(os.environ) or 'not found'}",
        f"embedded server: {bundled}",
        f"Python {platform.python_version()}",
    )
    typer.echo("\n".join(lines))
    raise typer.Exit


@app.callback()
def sqlwright(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the versions of sqlwright and its components."),
    ] = False,
) -> None:
    """Callback of the program itself, so that it takes options before the command."""
