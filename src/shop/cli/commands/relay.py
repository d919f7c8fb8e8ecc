"""`shop relay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.cli.output import ExitCode, Problem
from shop.cli.running import MetricsPortOption, broker_of, no_broker, preparing, session, until_stopped

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop


def relay(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Exit when nothing is due.")] = False,
    metrics_port: MetricsPortOption = None,
) -> None:
    """Publish events from the outbox until stopped by SIGTERM or SIGINT."""
    from shop.application.messaging.broker import BrokerUnavailable
    from shop.application.transactions.failures import StoreLost, TransactionConflict, Unavailable
    from shop.cli.problems import problem_of

    here = session(context)
    # Before the start waits for the database.
    if here.settings().settings.nats_url is None:
        raise no_broker(here)

    async def work(shop: Shop) -> int:
        assert shop.relay is not None  # noqa: S101 there is a broker
        if not once:
            return await until_stopped(here, shop, "relay", shop.relay.run, metrics_port)
        try:
            async with preparing(here, broker_of(here, shop)):
                return await shop.relay.run_until_empty()
        except BrokerUnavailable as error:
            raise here.failed(Problem("broker-unavailable", "Broker unavailable", 503, str(error), ExitCode.UNAVAILABLE)) from error
        except (StoreLost, TransactionConflict) as error:
            raise here.failed(problem_of(Unavailable(str(error)))) from error

    here.output.record({"published": here.run(work, is_traced=False, waits=not once)})
