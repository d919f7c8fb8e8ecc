"""`shop prune`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from shop.application.commands.pruning import Pruned
from shop.bootstrap import Shop
from shop.cli.running import session


def prune(context: typer.Context) -> None:
    """Remove messages message_retention_days after they were published or handled, old answers, and what erased users left since."""
    here = session(context)

    async def work(shop: Shop) -> Pruned:
        pruned = Pruned(0, 0, 0, 0)
        columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} rows removed"))
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("rows", total=None)
            while (batch := here.value(await shop.pruning.prune_batch(here.context))).total:
                pruned += batch
                progress.advance(task, batch.total)
        return pruned

    here.output.record(asdict(here.run(work)))
