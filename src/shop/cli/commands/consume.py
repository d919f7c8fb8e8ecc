"""`shop consume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.bootstrap import REQUIRED_BY, ConsumerName
from shop.cli.output import ExitCode, Problem
from shop.cli.running import MetricsPortOption, no_broker, session, until_stopped

if TYPE_CHECKING:
    from shop.bootstrap import Shop


def consume(
    context: typer.Context,
    consumer: Annotated[ConsumerName, typer.Argument(help="The consumer to run.")] = ConsumerName.SALES,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Handle events until stopped by SIGTERM or SIGINT."""
    here = session(context)

    async def work(shop: Shop) -> int:
        if shop.consumers is None:
            raise no_broker(here)
        chosen = shop.consumers.get(consumer)
        if chosen is None:
            detail = f"{REQUIRED_BY[consumer]}: is not set, and the consumer {consumer} requires it"
            raise here.failed(Problem("settings", "Settings", 500, detail, ExitCode.SETTINGS))
        return await until_stopped(here, shop, f"consume.{consumer}", chosen.run, metrics_port)

    here.output.record({"consumer": consumer, "handled": here.run(work, is_traced=False)})
