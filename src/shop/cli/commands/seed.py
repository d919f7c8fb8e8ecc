"""`shop seed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.application.commands.seed_data import generate
from shop.cli.running import session
from shop.domain.values import PasswordHash

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

# No password matches it: its digest is not that of any known password.
_NO_PASSWORD = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2VlZHNlZWRzZWVk$c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHM")


def seed(
    context: typer.Context,
    users: Annotated[int, typer.Argument(min=1, max=10_000_000, help="Number of users.")] = 100,
    number: Annotated[int, typer.Option("--number", min=0, max=1_000_000_000, help="The same number yields the same data.")] = 1,
) -> None:
    """Fill the database with users and orders, without events. Existing data is left alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    here = session(context)

    new = orders = 0

    def done() -> dict[str, int]:
        return {"new_users": new, "orders": orders, "number": number}

    async def work(shop: Shop) -> None:
        nonlocal new, orders
        columns = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("users", total=users)
            for batch in generate(number, users, _NO_PASSWORD):
                new += here.value(await shop.seeds.write(here.context, number, batch))
                orders += len(batch.orders)
                progress.advance(task, len(batch.users))

    here.done = done
    here.run(work)
    here.output.record({"users": users, **done()})
