"""`shop dead`."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from shop.cli.running import CursorOption, SizeOption, parse_uuid, session

app = typer.Typer(invoke_without_command=True, help="List dead letters, newest first, or deal with one.")

ConsumerArgument = Annotated[str, typer.Argument(help="The consumer that could not handle the message, or relay; as listed.")]
MessageArgument = Annotated[uuid.UUID, typer.Argument(parser=parse_uuid, metavar="MESSAGE", help="Id of the message.")]


@app.callback()
def dead(context: typer.Context, size: SizeOption = 20, cursor: CursorOption = None) -> None:
    """List the dead letters of the consumers and of the relay, newest first; or show, replay or discard one."""
    if context.invoked_subcommand is not None:
        return
    here = session(context)
    page = here.value(here.run(lambda shop: here.reads(shop).dead_letters(size, cursor)))
    rows = [item.model_dump(mode="json") for item in page.items]
    columns = ["message_id", "consumer", "event_type", "attempts", "last_error", "dead_at"]
    here.output.listing(rows, columns=columns, cursor=page.next_cursor)


@app.command()
def show(context: typer.Context, consumer: ConsumerArgument, message: MessageArgument) -> None:
    """Show a dead letter with the content of its message, which may be personal data."""
    here = session(context)
    letter = here.value(here.run(lambda shop: here.reads(shop).dead_letter(consumer, message)))
    here.output.record(letter.model_dump(mode="json"))


@app.command()
def replay(context: typer.Context, consumer: ConsumerArgument, message: MessageArgument) -> None:
    """Handle a dead letter now, by its consumer alone; one of the relay is published by the relay. It stays if that fails."""
    here = session(context)
    here.value(here.run(lambda shop: shop.dead_letters.replay(here.context, consumer, message)))
    here.output.record({"consumer": consumer, "message_id": str(message), "replayed": True})


@app.command()
def discard(context: typer.Context, consumer: ConsumerArgument, message: MessageArgument) -> None:
    """Remove a dead letter, which then never takes effect. The audit log keeps its id."""
    here = session(context)
    here.value(here.run(lambda shop: shop.dead_letters.discard(here.context, consumer, message)))
    here.output.record({"consumer": consumer, "message_id": str(message), "discarded": True})
