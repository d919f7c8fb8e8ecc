"""`shop consumers`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from shop.application.messaging.broker import BrokerUnavailable
from shop.application.transactions.audit import AuditOutcome
from shop.bootstrap import Broker, ConsumerName, Shop
from shop.cli.output import ExitCode, Problem
from shop.cli.running import Session, no_broker, session

# Of status messages, which are sent every ten seconds.
_PERIOD: Final = 11.0

app = typer.Typer(no_args_is_help=True, help="Consumers, as the broker knows them.")


@app.command("list")
def list_consumers(context: typer.Context) -> None:
    """List all consumers whose positions the broker keeps, with the number of messages that each has not settled yet."""
    here = session(context)

    async def work(shop: Shop) -> list[dict[str, object]]:
        broker = _broker(here, shop)
        try:
            waiting = await broker.waiting()
        except BrokerUnavailable as error:
            raise _unavailable(here, error) from error
        return [{"consumer": name, "waiting": number, "is_known": name in set(ConsumerName)} for name, number in sorted(waiting.items())]

    here.output.listing(here.run(work), columns=["consumer", "waiting", "is_known"])


@app.command()
def retire(
    context: typer.Context, consumer: Annotated[str, typer.Argument(help="A consumer that this program does not have any more.")]
) -> None:
    """Remove the positions of a consumer from the broker, which otherwise keeps and counts its messages."""
    here = session(context)
    if consumer in set(ConsumerName):
        raise typer.BadParameter(f"{consumer} is a consumer of this program, which would begin again with the oldest message")

    async def work(shop: Shop) -> int:
        broker = _broker(here, shop)
        here.value(await shop.trail.record(here.context, "consumer.retire", f"consumer:{consumer}", AuditOutcome.DONE))
        try:
            return await broker.forget(consumer)
        except BrokerUnavailable as error:
            raise _unavailable(here, error) from error

    here.output.record({"consumer": consumer, "removed": here.run(work)})


def status(context: typer.Context) -> None:
    """Listen to the status messages for eleven seconds, and list the processes of relay and consumers that run."""
    here = session(context)

    async def work(shop: Shop) -> list[dict[str, object]]:
        broker = _broker(here, shop)
        try:
            found = await broker.listen(_PERIOD)
        except BrokerUnavailable as error:
            raise _unavailable(here, error) from error
        return [each.model_dump(mode="json") for each in found]

    here.output.listing(here.run(work), columns=["name", "host", "process", "seconds", "is_stopping"])


def _broker(here: Session, shop: Shop) -> Broker:
    if shop.broker is None:
        raise no_broker(here)
    return shop.broker


def _unavailable(here: Session, error: BrokerUnavailable) -> typer.Exit:
    return here.failed(
        Problem("broker-unavailable", "Broker unavailable", 503, f"the broker is unavailable: {error}", ExitCode.UNAVAILABLE)
    )
