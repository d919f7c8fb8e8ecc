"""`shop consumers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.bootstrap.consumer_names import ConsumerName
from shop.cli.running import broker_of, broker_unavailable, no_broker, session

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Consumers, as the broker knows them.")


@app.command("list")
def list_consumers(context: typer.Context) -> None:
    """List all consumers whose positions the broker keeps, with the number of messages that each has not settled yet."""
    from shop.application.messaging.broker import BrokerUnavailable

    here = session(context)

    async def work(shop: Shop) -> list[dict[str, object]]:
        broker = broker_of(here, shop)
        try:
            waiting = await broker.waiting()
        except BrokerUnavailable as error:
            raise broker_unavailable(here, error) from error
        return [{"consumer": name, "waiting": number, "is_known": name in set(ConsumerName)} for name, number in sorted(waiting.items())]

    here.output.listing(here.run(work), columns=["consumer", "waiting", "is_known"])


@app.command()
def retire(context: typer.Context, consumer: Annotated[str, typer.Argument(help="A consumer that this program no longer has.")]) -> None:
    """Remove the positions of a consumer from the broker, which otherwise keeps and counts its messages."""
    here = session(context)
    if consumer in set(ConsumerName):
        raise typer.BadParameter(f"{consumer} is a consumer of this program, which would begin again with the oldest message")

    async def work(shop: Shop) -> int:
        if shop.retirement is None:
            raise no_broker(here)
        return here.value(await shop.retirement.retire(here.context, consumer))

    here.output.record({"consumer": consumer, "removed": here.run(work)})
