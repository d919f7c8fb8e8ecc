"""`shop config`."""

from __future__ import annotations

import typer

from shop.cli.running import session

app = typer.Typer(no_args_is_help=True, help="Settings.")


@app.command()
def show(context: typer.Context) -> None:
    """Show all settings with their sources, without secrets."""
    here = session(context)
    rows = [{"key": key, "value": value, "source": source} for key, value, source in here.settings().shown()]
    here.output.listing(rows, columns=["key", "value", "source"])
