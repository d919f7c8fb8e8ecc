"""Commands for whoever runs the shop: seeds, the relay, the consumers, pruning, health, the audit log, settings."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from shop.application.broker import BrokerUnavailable
from shop.application.health import Health, check_health
from shop.application.pruning import Pruned
from shop.application.seeding import invent
from shop.application.unit_of_work import StoreLost, TransactionConflict, Unavailable
from shop.bootstrap import Shop, health_checks
from shop.cli.output import ExitCode, Problem
from shop.cli.running import Session, session
from shop.cli.users import AfterOption, SizeOption
from shop.domain.values import PasswordHash

config_app = typer.Typer(no_args_is_help=True, help="Settings.")
outbox_app = typer.Typer(no_args_is_help=True, help="Events on their way to the broker.")
projections_app = typer.Typer(no_args_is_help=True, help="What consumers build from events.")

# The largest that PostgreSQL's bigint holds.
_LAST_POSITION = 2**63 - 1

# Nobody gets in with it: it is the hash of nothing that is known.
_NO_PASSWORD = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2VlZHNlZWRzZWVk$c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHM")


class ConsumerName(StrEnum):
    """The consumers."""

    SALES = "sales"
    CACHE = "cache"


def seed(
    context: typer.Context,
    users: Annotated[int, typer.Argument(min=1, max=10_000_000, help="How many users.")] = 100,
    number: Annotated[int, typer.Option("--number", min=0, max=1_000_000_000, help="The same number gives the same data.")] = 1,
) -> None:
    """Fill the database with users and orders, without events. What is there already is left alone."""
    here = session(context)

    async def work(shop: Shop) -> tuple[int, int]:
        new = orders = 0
        columns = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("users", total=users)
            for batch in invent(number, users, _NO_PASSWORD):
                new += here.value(await shop.seeds.write(here.context, number, batch))
                orders += len(batch.orders)
                progress.advance(task, len(batch.users))
        return new, orders

    new, orders = here.run(work)
    here.output.record({"users": users, "new_users": new, "orders": orders, "number": number})


def prune(context: typer.Context) -> None:
    """Remove messages that were published or handled longer ago than message_retention_days."""
    here = session(context)

    async def work(shop: Shop) -> Pruned:
        pruned = Pruned(0, 0)
        columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} messages removed"))
        with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
            task = progress.add_task("messages", total=None)
            while (batch := here.value(await shop.pruning.prune_batch(here.context))).total:
                pruned += batch
                progress.advance(task, batch.total)
        return pruned

    here.output.record(asdict(here.run(work)))


@outbox_app.command("republish")
def outbox_republish(
    context: typer.Context,
    first: Annotated[int, typer.Argument(min=1, max=_LAST_POSITION, help="The first position; `shop health` names those that were lost.")],
    last: Annotated[int, typer.Argument(min=1, max=_LAST_POSITION, help="The last position; else the end.")] = _LAST_POSITION,
) -> None:
    """Have the relay publish events again that were published or given up. May be repeated: consumers handle nothing twice."""
    if last < first:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="LAST")
    here = session(context)

    async def work(shop: Shop) -> int:
        begin, republished = first, 0
        while positions := here.value(await shop.recovery.republish_batch(here.context, begin, last)):
            republished += len(positions)
            begin = positions[-1] + 1
        return republished

    here.output.record({"republished": here.run(work)})


@projections_app.command("rebuild")
def projections_rebuild(context: typer.Context) -> None:
    """Build the daily sales anew from the audit log. May be repeated, and consumers may run meanwhile."""
    here = session(context)

    async def work(shop: Shop) -> int:
        return here.value(await shop.recovery.rebuild_sales(here.context))

    here.output.record({"projection": "sales", "rows": here.run(work)})


def dead(context: typer.Context, size: SizeOption = 20) -> None:
    """List the messages that were given up, by their consumers and by the relay, newest first."""
    here = session(context)
    found = here.value(here.run(lambda shop: shop.reads.dead_messages(size)))
    rows = [item.model_dump(mode="json") for item in found]
    here.output.listing(rows, columns=["message_id", "consumer", "event_type", "attempts", "last_error", "dead_at"])


def relay(context: typer.Context, once: Annotated[bool, typer.Option("--once", help="End when nothing is due.")] = False) -> None:
    """Publish events from the outbox until told to stop (SIGTERM or SIGINT)."""
    here = session(context)

    async def work(shop: Shop) -> int:
        if shop.relay is None:
            raise _no_broker(here)
        if not once:
            return await _until_told(here, shop.relay.run)
        try:
            return await shop.relay.run_until_empty()
        except BrokerUnavailable as error:
            raise here.failed(Problem("broker-unavailable", "Broker unavailable", 503, str(error), ExitCode.UNAVAILABLE)) from error
        except (StoreLost, TransactionConflict) as error:
            raise here.failed(Problem.of(Unavailable(str(error)))) from error

    here.output.record({"published": here.run(work)})


def consume(context: typer.Context, consumer: Annotated[ConsumerName, typer.Argument(help="Which consumer.")] = ConsumerName.SALES) -> None:
    """Handle events until told to stop (SIGTERM or SIGINT)."""
    here = session(context)

    async def work(shop: Shop) -> int:
        if shop.consumers is None:
            raise _no_broker(here)
        chosen = shop.consumers.get(consumer)
        if chosen is None:
            detail = f"redis_url: is not set, and the consumer {consumer} needs a cache that it can invalidate"
            raise here.failed(Problem("settings", "Settings", 500, detail, ExitCode.SETTINGS))
        return await _until_told(here, chosen.run)

    here.output.record({"consumer": consumer, "handled": here.run(work)})


def audit(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(help="Of one thing, as in order:<id> or user:<id>; else of all.")] = None,
    size: SizeOption = 20,
    after: AfterOption = None,
) -> None:
    """List what happened, newest first."""
    here = session(context)
    page = here.value(here.run(lambda shop: shop.reads.audit_entries(subject, size, after)))
    rows = [item.model_dump(mode="json") for item in page.items]
    here.output.listing(rows, columns=["at", "actor", "action", "subject", "outcome", "metadata"], cursor=page.next_cursor)


def health(context: typer.Context) -> None:
    """Tell how everything is. Exit status 0 where the service can do its work, else 69."""
    here = session(context)
    settings = here.settings().settings

    async def look() -> Health:
        async with health_checks(settings) as checks:
            return await check_health(checks)

    found = here.complete(look())
    rows = [{**asdict(finding), "state": "well" if finding.is_well else "NOT WELL"} for finding in found.findings]
    here.output.listing(rows, columns=["name", "state", "detail", "milliseconds"])
    if not found.is_ready:
        raise typer.Exit(ExitCode.UNAVAILABLE)


@config_app.command("show")
def config_show(context: typer.Context) -> None:
    """Show all settings, where each comes from, and no secret."""
    here = session(context)
    rows = [{"key": key, "value": value, "source": source} for key, value, source in here.settings().shown()]
    here.output.listing(rows, columns=["key", "value", "source"])


async def _until_told(here: Session, work: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    here.output.note("running; stop with Ctrl-C")
    return await work(stop)


def _no_broker(here: Session) -> typer.Exit:
    return here.failed(Problem("settings", "Settings", 500, "nats_url: is not set, and events need a broker", ExitCode.SETTINGS))
