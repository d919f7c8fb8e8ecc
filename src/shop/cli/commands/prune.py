"""`shop prune`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from shop.application.commands.pruning import Pruning
from shop.application.transactions.failures import StoreDefect
from shop.bootstrap import Shop
from shop.cli.running import session
from shop.domain.result import Err


def prune(context: typer.Context) -> None:
    """Remove messages message_retention_days after they were published or handled, old answers, and what erased users left since."""
    here = session(context)

    async def work(shop: Shop) -> Pruning:
        columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} rows removed"))
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("rows", total=None)
            pruning = await shop.pruning.prune(here.context, lambda count: progress.advance(task, count))
        here.output.record(asdict(pruning.pruned))
        return pruning

    async def reported(shop: Shop) -> None:
        """Exit with the first failure, once everything else is done; each is in the log and in the audit log."""
        for failure in (await work(shop)).failures:
            if isinstance(failure, StoreDefect):
                raise failure
            here.value(Err(failure))

    here.run(reported)
