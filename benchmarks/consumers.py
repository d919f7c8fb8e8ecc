"""`python -m benchmarks.consumers`: how fast processes of the consumer `sales` handle events, in which order, and with which sums."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from benchmarks.load import ROOT, processor_time, run_shop, servers, setting
from benchmarks.record import replaced, table
from benchmarks.report import seconds as readable
from shop.domain.events import OrderPaid
from shop.domain.money import Currency, Money
from shop.domain.values import OrderId, UserId
from shop.infrastructure.nats.broker import open_broker
from shop.infrastructure.postgres.pool import open_pool
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.local_servers import nats_server

PAGE = ROOT / "docs" / "architecture.md"
_USER = UserId(uuid.UUID(int=0))
_WARM_UP = 160
_READY_WITHIN = 60.0
# Seconds without any message that was handled.
_PATIENCE = 60.0
_EACH_TRANSACTION = 500


class Wrong(Exception):
    """The consumers did not do what they have to: the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Work:
    """The number of messages that are measured, and of the orders that they are about, in turn."""

    messages: int = 5_000
    orders: int = 500


@dataclass(frozen=True, slots=True)
class Handled:
    """The messages that processes have handled, from the first one to the last one, and their processor time for all of them."""

    processes: int
    messages: int
    elapsed: float
    processor_time: float

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.elapsed


def measure(environment: Mapping[str, str], work: Work, processes: Sequence[int]) -> list[Handled]:
    """Measure each number of processes with events of its own, and verify their effects. Raises `Wrong`."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as conn:
        found = [_measure(environment, conn, work, number) for number in processes]
        verify(conn)
    return found


def _measure(environment: Mapping[str, str], conn: psycopg.Connection, work: Work, number: int) -> Handled:
    with consuming(environment, number) as consumers:
        # Connections are open, and statements are prepared.
        publish(environment, Work(_WARM_UP * number, _WARM_UP))
        _wait_until_handled(conn)
        [(position,)] = conn.execute("SELECT max(position) FROM outbox").fetchall()
        # All begin at the same time, with all of the messages.
        _signal(consumers, signal.SIGSTOP)
        asyncio.run(_nothing_requested(environment["NATS_URL"]))
        publish(environment, work)
        before = sum(processor_time(each.pid) for each in consumers)
        _signal(consumers, signal.SIGCONT)
        _wait_until_handled(conn)
        used = sum(processor_time(each.pid) for each in consumers) - before
    [(elapsed,)] = conn.execute(
        """
        SELECT extract(epoch FROM max(inbox.handled_at) - min(inbox.handled_at))::float8
        FROM inbox JOIN outbox USING (message_id)
        WHERE outbox.position > %s
        """,
        [position],
    ).fetchall()
    return Handled(number, work.messages, elapsed, used)


def publish(environment: Mapping[str, str], work: Work) -> None:
    """Write payments of different amounts to the outbox, and have the relay publish them."""
    asyncio.run(_write(environment["DATABASE_URL"], work))
    run_shop(environment, "relay", "--once")


async def _write(url: str, work: Work) -> None:
    async with open_pool(url) as pool:
        begin = units_of_work(pool)
        for first in range(0, work.messages, _EACH_TRANSACTION):
            async with begin() as transaction:
                for number in range(first, min(first + _EACH_TRANSACTION, work.messages)):
                    order = OrderId(uuid.UUID(int=number % work.orders))
                    await transaction.outbox.add(OrderPaid(order, _USER, Money(number + 1, Currency.EUR)), "benchmark")
                await transaction.commit()


@contextmanager
def consuming(environment: Mapping[str, str], number: int) -> Generator[list[subprocess.Popen[str]]]:
    """Run processes of `shop consume sales` until the end of the block. Raises `Wrong` if one does not start."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="shop-consumers-") as name:
        logs = [Path(name) / str(each) for each in range(number)]
        consumers = [stack.enter_context(_consumer(environment, log)) for log in logs]
        until = time.monotonic() + _READY_WITHIN
        for consumer, log in zip(consumers, logs, strict=True):
            while "running" not in log.read_text(encoding="utf-8"):
                if consumer.poll() is not None or time.monotonic() > until:
                    raise Wrong(f"shop consume does not start:\n{log.read_text(encoding='utf-8')}")
                time.sleep(0.05)
        yield consumers


@contextmanager
def _consumer(environment: Mapping[str, str], log: Path) -> Generator[subprocess.Popen[str]]:
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "shop.cli", "consume", "sales"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            encoding="utf-8",
        )
    try:
        yield process
    finally:
        # A stopped process would not end.
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def _signal(processes: Sequence[subprocess.Popen[str]], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)


async def _nothing_requested(url: str) -> None:
    """Wait until the requests of the stopped processes have expired: a message for one of them would be delivered again much later."""
    async with open_broker(url) as broker:
        jetstream = await broker.jetstream()
        while any(each.num_waiting for each in await jetstream.consumers_info("SHOP")):  # noqa: ASYNC110 the state is the broker's
            await asyncio.sleep(0.1)


def _wait_until_handled(conn: psycopg.Connection) -> None:
    """Wait until every published message is settled. Raises `Wrong`."""
    last, until = -1, time.monotonic() + _PATIENCE
    while True:
        [(published, settled)] = conn.execute("""
            SELECT (SELECT count(*) FROM outbox WHERE published_at IS NOT NULL),
                   (SELECT count(*) FROM inbox WHERE consumer = 'sales' AND (handled_at IS NOT NULL OR dead_at IS NOT NULL))
        """).fetchall()
        if settled == published:
            return
        if settled != last:
            last, until = settled, time.monotonic() + _PATIENCE
        if time.monotonic() > until:
            raise Wrong(f"{published - settled} of {published} messages are not handled")
        time.sleep(0.1)


def verify(conn: psycopg.Connection) -> None:
    """Verify that every event of the outbox was handled, in the order of its aggregate, and is in the sums once. Raises `Wrong`."""
    [(lost, overtaken)] = conn.execute("""
        SELECT count(*) FILTER (WHERE handled_at IS NULL), count(*) FILTER (WHERE handled_at <= previous)
        FROM (
            SELECT inbox.handled_at, lag(inbox.handled_at) OVER (PARTITION BY outbox.aggregate ORDER BY outbox.position) AS previous
            FROM outbox LEFT JOIN inbox ON inbox.message_id = outbox.message_id AND inbox.consumer = 'sales'
        ) AS events
    """).fetchall()
    [expected] = conn.execute("SELECT count(*), sum((payload -> 'total' ->> 'minor')::numeric) FROM outbox").fetchall()
    [counted] = conn.execute("SELECT sum(orders), sum(revenue_minor) FROM daily_sales").fetchall()
    wrong = [f"{lost} events were not handled"] if lost else []
    wrong += [f"{overtaken} events overtook an earlier one of their order"] if overtaken else []
    wrong += (
        [f"{counted[0]} payments of {counted[1]} were counted instead of {expected[0]} of {expected[1]}"] if counted != expected else []
    )
    if wrong:
        raise Wrong("; ".join(wrong))


def as_table(found: Sequence[Handled]) -> str:
    """Return the results as a table."""
    rows = [["processes", "messages a second", "processor time of the consumers for each"]]
    rows += [[str(one.processes), f"{one.rate:.0f}", readable(one.processor_time / one.messages)] for one in found]
    return table(rows)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    messages: Annotated[int, typer.Option(min=1, max=1_000_000, help="Payments, for each number of processes.")] = 5_000,
    orders: Annotated[int, typer.Option(min=1, max=1_000_000, help="Orders that they are about.")] = 500,
    processes: Annotated[list[int] | None, typer.Option(min=1, max=64, help="Processes; repeat it. Default: 1 and 2.")] = None,
    note: Annotated[str, typer.Option(help="The state of the machine, for the page.")] = "",
    is_recorded: Annotated[bool, typer.Option("--record", help="Write the table into docs/architecture.md.")] = False,
) -> None:
    """Start PostgreSQL, Redis and NATS, and measure one number of processes after the other."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="shop-consumers-") as name:
        folder = Path(name)
        with servers(folder) as environment, nats_server(folder) as broker:
            try:
                found = measure({**environment, "NATS_URL": broker.url}, Work(messages, orders), processes or [1, 2])
            except Wrong as wrong:
                typer.echo(f"error: {wrong}", err=True)
                raise typer.Exit(1) from None
    text = f"{as_table(found)}\n{setting(f'{messages:,} payments of {orders:,} orders', load=before, note=note)}"
    typer.echo(text, nl=False)
    if is_recorded:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), {"consumers": text}), encoding="utf-8")


if __name__ == "__main__":
    app()
