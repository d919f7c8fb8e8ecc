"""`shop consume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.bootstrap.consumer_names import REQUIRED_BY, ConsumerName
from shop.cli.output import ExitCode, Problem
from shop.cli.running import MetricsPortOption, no_broker, session, until_stopped

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop


def consume(
    context: typer.Context,
    consumer: Annotated[ConsumerName, typer.Argument(help="The consumer to run.")] = ConsumerName.SALES,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Handle events until stopped by SIGTERM or SIGINT."""
    here = session(context)
    settings, required = here.settings().settings, REQUIRED_BY.get(consumer)
    # Before the start waits for the database.
    if settings.nats_url is None:
        raise no_broker(here)
    if required is not None and getattr(settings, required) is None:
        detail = f"{required}: is not set, and the consumer {consumer} requires it"
        raise here.failed(Problem("settings", "Settings", 500, detail, ExitCode.SETTINGS))

    async def work(shop: Shop) -> int:
        assert shop.consumers is not None  # noqa: S101 there is a broker
        return await until_stopped(here, shop, f"consume.{consumer}", shop.consumers[consumer].run, metrics_port)

    here.output.record({"consumer": consumer, "handled": here.run(work, is_traced=False, waits=True)})
