"""`shop status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from shop.cli.running import broker_of, broker_unavailable, session

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

# Of status messages, which are sent every ten seconds.
_PERIOD: Final = 11.0


def status(context: typer.Context) -> None:
    """Listen to the status messages for eleven seconds, and list the processes of relay and consumers that run."""
    from shop.application.messaging.broker import BrokerUnavailable

    here = session(context)

    async def work(shop: Shop) -> list[dict[str, object]]:
        broker = broker_of(here, shop)
        try:
            found = await broker.listen(_PERIOD)
        except BrokerUnavailable as error:
            raise broker_unavailable(here, error) from error
        return [each.model_dump(mode="json") for each in found]

    here.output.listing(here.run(work), columns=["name", "host", "process", "seconds", "is_stopping"])
