"""All servers and processes killed under load, repeatedly: nothing acknowledged is lost, and nothing takes effect twice."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.application.messaging.broker import StreamExtent
from shop.application.transactions.failures import OutcomeUnknown
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, OrderId, Password, PersonName, UserId
from shop.infrastructure.nats.broker import open_broker
from shop.local_servers import LocalServer, nats_server, redis_server
from sqlwright.postgres import embedded

from .ports import receive_all

T = TypeVar("T")

CONTEXT = Context(Actor.system("test"), "pytest")
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))
VICTIMS = ("postgres", "redis", "nats", "relay", "sales", "cache")
ROUNDS = 5
CUSTOMERS = 5

_log = logging.getLogger("kill rounds")


class World:
    """All servers and processes of a shop, each of which can be killed and restarted."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._project = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start_postgres()
        self.nats: LocalServer = stack.enter_context(nats_server(folder))
        self.redis: LocalServer = stack.enter_context(redis_server(folder))
        admin_url = embedded.url(folder, "postgres")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            # The service must ensure durability itself.
            admin.execute("ALTER SYSTEM SET synchronous_commit = off")
            admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            admin.execute("CREATE DATABASE shop")
        self.database_url = urlsplit(admin_url)._replace(path="/shop").geturl()
        self.environment = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis.url, "NATS_URL": self.nats.url}

    def start_postgres(self) -> None:
        deadline = time.monotonic() + 300
        while True:
            try:
                self._stack.enter_context(embedded.running(self._project))
            except embedded.EmbeddedUnavailable:
                # The children of the killed server may still be running.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def start_processes(self) -> None:
        """Start those that are not running, as a supervisor would."""
        for name, arguments in {"relay": ["relay"], "sales": ["consume", "sales"], "cache": ["consume", "cache"]}.items():
            known = self._processes.get(name)
            if known is None or known.poll() is not None:
                command = [sys.executable, "-m", "shop.cli", *arguments]
                environment = os.environ | self.environment | {"SHOP_LOG_LEVEL": "error"}
                with (self._project / f"{name}.log").open("ab") as log:
                    self._processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def stop_processes(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def kill(self, victim: str) -> None:
        match victim:
            case "postgres":
                os.kill(int((self._project / ".sqlwright" / "postgres" / "postmaster.pid").read_text("utf-8").split()[0]), signal.SIGKILL)
            case "nats":
                self.nats.kill()
            case "redis":
                self.redis.kill()
            case _:
                self._processes[victim].kill()
                self._processes[victim].wait()

    def start(self, victim: str) -> None:
        match victim:
            case "postgres":
                self.start_postgres()
            case "nats":
                self.nats.start()
            case "redis":
                self.redis.start()
            case _:
                pass


@pytest_asyncio.fixture
async def world(tmp_path_factory: pytest.TempPathFactory, dbmate: Callable[..., str]) -> AsyncIterator[World]:
    """The shop of this test."""
    with ExitStack() as stack:
        world = await asyncio.to_thread(World, stack, tmp_path_factory.mktemp("world"))
        dbmate(world.database_url, "up")
        stack.callback(world.stop_processes)
        yield world


@dataclass
class Customer:
    """Orders, pays, sometimes cancels, and records what was acknowledged: the status of each order, and the number of orders."""

    shop: Shop
    id: UserId
    acknowledged: dict[OrderId, str] = field(default_factory=dict[OrderId, str])
    unsure: set[OrderId] = field(default_factory=set[OrderId])
    placed: int = 0
    maybe_placed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.order()
            summary = await self.shop.reads.order_summary(self.id)
            if isinstance(summary, Ok):
                shown = sum(totals.orders for totals in summary.value.totals)
                assert self.placed <= shown <= self.placed + self.maybe_placed

    async def order(self) -> None:
        placed = self.seen(await self.shop.orders.place(CONTEXT, NewOrder(self.id, (LINE,))))
        if isinstance(placed, Err):
            self.maybe_placed += isinstance(placed.error, OutcomeUnknown)
            return
        order_id = placed.value.id
        self.placed += 1
        self.acknowledged[order_id] = "placed"
        await self.move(order_id, self.shop.orders.pay, "paid")
        if self.acknowledged[order_id] == "paid" and self.placed % 5 == 0:
            await self.move(order_id, self.shop.orders.cancel, "cancelled")

    async def move(self, order_id: OrderId, step: Callable[[Context, OrderId], Awaitable[Result[Any, Any]]], to: str) -> None:
        """Retry until it is done. After an unknown outcome it may turn out that it was done before."""
        while True:
            moved = self.seen(await step(CONTEXT, order_id))
            match moved:
                case Ok() | Err(WrongStatus()):
                    assert isinstance(moved, Ok) or order_id in self.unsure
                    self.acknowledged[order_id] = to
                    return
                case Err(OutcomeUnknown()):
                    self.unsure.add(order_id)
                case _:
                    await asyncio.sleep(0.02)

    def seen(self, result: Result[T, Any]) -> Result[T, Any]:
        self.outcomes["Ok" if isinstance(result, Ok) else type(result.error).__name__] += 1
        return result


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await condition():  # noqa: ASYNC110 the state is the database's
            await asyncio.sleep(0.05)


async def numbers(conn: AsyncConnection[Any], query: str) -> tuple[Any, ...]:
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_and_nothing_is_counted_twice(world: World, cheap_hasher: PasswordHasher) -> None:
    urls = {name.lower(): value for name, value in world.environment.items()}
    settings = Settings.model_validate({**urls, "connect_timeout": 10})
    chance = random.Random(11)  # noqa: S311 repeatable times of the kills
    world.start_processes()
    kills: Counter[str] = Counter()
    async with open_shop(settings, Adapters(passwords=cheap_hasher)) as shop:
        customers: list[Customer] = []
        for number in range(CUSTOMERS):
            profile = Profile(PersonName("Ada", "Lovelace"), EmailAddress(f"ada{number}@example.org"))
            registered = await shop.users.register(CONTEXT, profile, Password("correct horse"))
            assert isinstance(registered, Ok)
            customers.append(Customer(shop, registered.value.id))
        stop = asyncio.Event()
        running = [asyncio.create_task(customer.run(stop)) for customer in customers]

        async def more_orders(most: int) -> None:
            goal = sum(customer.placed for customer in customers) + most

            async def are_there() -> bool:
                for task in running:
                    if task.done():
                        task.result()
                return sum(customer.placed for customer in customers) >= goal

            await until(are_there)

        try:
            for victim in chance.sample(VICTIMS * ROUNDS, k=len(VICTIMS) * ROUNDS):
                await more_orders(10)
                await asyncio.sleep(chance.uniform(0, 0.05))
                await asyncio.to_thread(world.kill, victim)
                kills[victim] += 1
                await asyncio.sleep(chance.uniform(0, 0.3))
                await asyncio.to_thread(world.start, victim)
                world.start_processes()
            await more_orders(10)
        finally:
            stop.set()
            await asyncio.gather(*running)
        _log.error("kills: %s; outcomes: %s", dict(kills), dict(sum((customer.outcomes for customer in customers), Counter[str]())))
        async with await AsyncConnection.connect(world.database_url, autocommit=True) as conn:
            await check(conn, world, customers)


async def check(conn: AsyncConnection[Any], world: World, customers: list[Customer]) -> None:
    """Wait until every event is handled, and compare all data with each other."""
    unsettled = """
        SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL), (SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL),
               (SELECT count(*) FROM inbox WHERE handled_at IS NULL),
               (SELECT count(*) FROM outbox WHERE event_type IN ('OrderPaid', 'OrderCancelled')
                AND NOT EXISTS (SELECT FROM inbox WHERE inbox.message_id = outbox.message_id))
    """

    async def all_arrived() -> bool:
        world.start_processes()
        return await numbers(conn, unsettled) == (0, 0, 0, 0)

    await until(all_arrived)

    # Acknowledged orders exist in their acknowledged status, and all others have an unknown outcome.
    there = dict(await (await conn.execute("SELECT id, status::text FROM orders")).fetchall())
    acknowledged = {order_id: status for customer in customers for order_id, status in customer.acknowledged.items()}
    assert {order_id: there.get(order_id) for order_id in acknowledged} == acknowledged
    assert len(there) <= len(acknowledged) + sum(customer.maybe_placed for customer in customers)

    # Each order is counted once, and refunded ones are not.
    paid = sum(status == "paid" for status in there.values())
    assert await numbers(conn, "SELECT sum(orders)::int, sum(revenue_minor)::int FROM daily_sales") == (paid, paid * 10_00)

    # One event for each change; the stream contains all of them, and the consumer has handled each.
    assert await numbers(conn, "SELECT count(*) FROM outbox WHERE event_type = 'OrderPlaced'") == (len(there),)
    published = {row[0] for row in await (await conn.execute("SELECT message_id FROM outbox")).fetchall()}
    async with open_broker(world.nats.url) as broker:
        delivered = [message.id for message in await receive_all(broker.subscribe(f"check-{uuid.uuid4().hex}"), len(published), wait=1)]
        extent: StreamExtent = await broker.extent()
    assert set(delivered) == published
    in_places = "SELECT count(*) FROM outbox WHERE stream = %s AND stream_sequence BETWEEN %s AND %s"
    assert await (await conn.execute(in_places, [extent.stream, extent.first, extent.last])).fetchone() == (len(published),)

    # Values made stale by unknown commits are invalidated, and each answer is that of the database.
    async def cache_is_right() -> bool:
        for customer in customers:
            [total] = await numbers(conn, f"SELECT count(*) FROM orders WHERE user_id = '{customer.id}'")
            summary = await customer.shop.reads.order_summary(customer.id)
            if not isinstance(summary, Ok) or sum(totals.orders for totals in summary.value.totals) != total:
                return False
        return True

    await until(cache_is_right)
    twice = len(delivered) - len(published)
    _log.error("orders: %d acknowledged, %d there; events: %d, stored twice: %d", len(acknowledged), len(there), len(published), twice)
