"""`sqlwright db`: a PostgreSQL for development, migrated by dbmate."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from sqlwright.cli.console import err, findings, out
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.postgres import devdb, embedded
from sqlwright.project.programs import find_dbmate, find_psql

_HELP = """\
A PostgreSQL for development, migrated by dbmate.

It is the database that DATABASE_URL names (in the environment or in .env), else the database `dev` of an embedded PostgreSQL, which lives
in .sqlwright and needs no installation.

  `sqlwright db up`        start it and apply the migrations; it stays up

  `sqlwright db status`    whether it runs, and which migrations are applied

  `psql "$(sqlwright db url)"`   connect with any program that takes a URL

  `sqlwright db stop`      stop the embedded server; the data stays
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)

ProjectOption = Annotated[Path, typer.Option("--project", help="The folder of .sqlwright, .env and the migrations.")]
MigrationsOption = Annotated[
    Path, typer.Option("--migrations", envvar="DBMATE_MIGRATIONS_DIR", help="The folder of the migrations, relative to the project.")
]

_HERE = Path()
_MIGRATIONS = Path("migrations")


@app.command()
def up(project: ProjectOption = _HERE, migrations: MigrationsOption = _MIGRATIONS) -> None:
    """Start the database, create it if necessary and apply all pending migrations.

    The embedded server keeps running after the command, for your programs to use, until `sqlwright db stop`.
    """
    with findings():
        database = devdb.choose(project, os.environ)
        dbmate = find_dbmate(os.environ)
        _require_folder(database, migrations)
        with devdb.reachable(database) as binaries:
            devdb.run_dbmate(database, dbmate, binaries, migrations, os.environ, "up")
            if database.is_embedded:
                embedded.keep(database.project)
        out().print(f"The database is up: {database.display}", markup=False)
        if database.is_embedded:
            out().print("It keeps running until: sqlwright db stop")


@app.command()
def down(
    steps: Annotated[int, typer.Option("--steps", "-n", min=1, help="How many migrations to roll back.")] = 1,
    project: ProjectOption = _HERE,
    migrations: MigrationsOption = _MIGRATIONS,
) -> None:
    """Roll back the latest migration, or several."""
    with findings():
        database = devdb.choose(project, os.environ)
        dbmate = find_dbmate(os.environ)
        _require_folder(database, migrations)
        with devdb.reachable(database) as binaries:
            for _ in range(steps):
                devdb.run_dbmate(database, dbmate, binaries, migrations, os.environ, "down")


@app.command()
def status(project: ProjectOption = _HERE, migrations: MigrationsOption = _MIGRATIONS) -> None:
    """Show which database is used, whether its server runs, and which migrations are applied."""
    with findings():
        database = devdb.choose(project, os.environ)
        dbmate = find_dbmate(os.environ)
        _require_folder(database, migrations)
        came_from = {"embedded": "the embedded server", ".env": "DATABASE_URL in .env"}.get(database.source, database.source)
        out().print(f"database: {database.display} ({came_from})", markup=False)
        if database.is_embedded:
            out().print(f"server:   {'running' if embedded.is_running(database.project) else 'stopped'}")
        with devdb.reachable(database) as binaries:
            if database.is_embedded and not devdb.is_created(database):
                out().print("It does not exist yet; create it: sqlwright db up")
            else:
                devdb.run_dbmate(database, dbmate, binaries, migrations, os.environ, "status")


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; required for a database on another machine.")] = False,
    project: ProjectOption = _HERE,
    migrations: MigrationsOption = _MIGRATIONS,
) -> None:
    """Drop the database with everything in it, create it again and apply all migrations."""
    with findings():
        database = devdb.choose(project, os.environ)
        dbmate = find_dbmate(os.environ)
        _require_folder(database, migrations)
        if not yes and not database.is_local():
            raise CompileError(
                [
                    Diagnostic(
                        Code.REMOTE_DATABASE,
                        f"{database.display} is on another machine and is not dropped without --yes",
                        help="if it really is a development database: sqlwright db reset --yes",
                    )
                ]
            )
        if not yes:
            typer.confirm(f"Drop {database.display} and all data in it?", abort=True)
        with devdb.reachable(database) as binaries:
            devdb.run_dbmate(database, dbmate, binaries, migrations, os.environ, "drop")
            devdb.run_dbmate(database, dbmate, binaries, migrations, os.environ, "up")


@app.command()
def url(project: ProjectOption = _HERE) -> None:
    """Print only the database's URL, password included: for scripts, psql and dbmate.

    Example:
      DATABASE_URL="$(sqlwright db url)" python -m shop.demo
    """
    with findings():
        database = devdb.choose(project, os.environ)
        typer.echo(database.url)
        if database.is_embedded and not embedded.is_running(database.project):
            err().print("The server is stopped; start it: sqlwright db up")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def shell(context: typer.Context, project: ProjectOption = _HERE) -> None:
    """Open psql on the database. Arguments after `--` go to psql.

    Example:
      sqlwright db shell -- -c 'SELECT count(*) FROM users'
    """
    with findings():
        database = devdb.choose(project, os.environ)
        with devdb.reachable(database) as binaries:
            psql = binaries / "psql" if binaries else find_psql(os.environ)
            conninfo, password = database.without_password()
            # Ctrl-C belongs to psql, where it cancels a statement. We keep running, since the server may have to be stopped afterwards.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                finished = subprocess.run([str(psql), "--dbname", conninfo, *context.args], env={**os.environ, **password}, check=False)
            finally:
                signal.signal(signal.SIGINT, before)
    raise typer.Exit(finished.returncode)


@app.command()
def stop(project: ProjectOption = _HERE) -> None:
    """Stop the embedded server. Its data stays; `sqlwright db up` starts it again."""
    with findings():
        if embedded.release(project.resolve()):
            out().print("The embedded server is stopped.")
        else:
            out().print("Another sqlwright process is using the embedded server, which stops when that process ends.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the migration does, such as create_orders.", show_default=False)],
    project: ProjectOption = _HERE,
    migrations: MigrationsOption = _MIGRATIONS,
) -> None:
    """Create an empty migration, named after the time and NAME."""
    with findings():
        database = devdb.choose(project, os.environ)
        devdb.run_dbmate(database, find_dbmate(os.environ), None, migrations, os.environ, "new", name)


def _require_folder(database: devdb.DevDatabase, migrations: Path) -> None:
    if not (database.project / migrations).is_dir():
        raise CompileError(
            [
                Diagnostic(
                    Code.MISSING_PATH,
                    f"there is no folder {migrations} in {database.project}",
                    help="create a first migration: sqlwright db new create_users, or name the folder: --migrations FOLDER",
                )
            ]
        )
