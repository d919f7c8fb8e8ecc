"""`shop projections`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from shop.cli.running import session

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Projections of the events.")


@app.command()
def rebuild(context: typer.Context) -> None:
    """Rebuild the daily sales from the audit log. Can be repeated, and consumers may run at the same time."""
    here = session(context)

    async def work(shop: Shop) -> int:
        return here.value(await shop.recovery.rebuild_sales(here.context))

    here.output.record({"projection": "sales", "rows": here.run(work)})
