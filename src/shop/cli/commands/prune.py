"""`shop prune`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from shop.application.transactions.failures import StoreDefect
from shop.cli.running import session
from shop.domain.result import Err

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop


def prune(context: typer.Context) -> None:
    """Remove messages message_retention_days after they were published or handled, old answers, and what is left of erased users."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    here = session(context)

    async def work(shop: Shop) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} rows removed"))
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("rows", total=None)
            done = await shop.pruning.prune(here.context, lambda count: progress.advance(task, count))
        removed = asdict(done.pruned)
        if not done.failures:
            here.output.record(removed)
            return
        # The rest is done, and each failure is in the log; the first one decides the status.
        here.done = lambda: removed
        failure = done.failures[0]
        if isinstance(failure, StoreDefect):
            raise failure
        here.value(Err(failure))

    here.run(work)
