"""`shop dead`."""

from __future__ import annotations

import typer

from shop.cli.running import SizeOption, session


def dead(context: typer.Context, size: SizeOption = 20) -> None:
    """List the dead letters of the consumers and of the relay, newest first."""
    here = session(context)
    letters = here.value(here.run(lambda shop: shop.reads.dead_letters(size)))
    rows = [item.model_dump(mode="json") for item in letters]
    here.output.listing(rows, columns=["message_id", "consumer", "event_type", "attempts", "last_error", "dead_at"])
