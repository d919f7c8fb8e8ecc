"""`shop outbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.cli.running import session

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Events of the outbox.")

# The maximum of PostgreSQL's bigint.
_LAST_POSITION = 2**63 - 1


@app.command()
def republish(
    context: typer.Context,
    first: Annotated[int, typer.Argument(min=1, max=_LAST_POSITION, help="First position; `shop health` names the missing ones.")],
    last: Annotated[int, typer.Argument(min=1, max=_LAST_POSITION, help="Last position; by default the end.")] = _LAST_POSITION,
) -> None:
    """Make the relay publish events again, including dead letters. Can be repeated: consumers handle nothing twice."""
    if last < first:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="LAST")
    here = session(context)

    begin, republished = first, 0

    def done() -> dict[str, int]:
        return {"republished": republished, "next_position": begin}

    async def work(shop: Shop) -> None:
        nonlocal begin, republished
        while positions := here.value(await shop.recovery.republish_batch(here.context, begin, last)):
            republished += len(positions)
            begin = positions[-1] + 1

    here.done = done
    here.run(work)
    here.output.record({"republished": republished})
