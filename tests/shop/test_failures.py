"""Servers killed under load: nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.application.health import check_health
from shop.application.messaging.broker import BrokerUnavailable
from shop.application.reads.models import DailySales
from shop.application.transactions.failures import CommitOutcomeUnknown, OutcomeUnknown, StoreLost, Unavailable
from shop.bootstrap.checks import health_checks
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine
from shop.domain.result import Err, Ok
from shop.domain.users import Profile, User
from shop.domain.values import EmailAddress, OrderId, Password, PersonName, UserId
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.pool import PoolOptions, open_pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.unit_of_work import PostgresUnitOfWork
from shop.local_servers import LocalServer, nats_server, redis_server
from shop_db.users import get_user
from sqlwright.postgres import embedded
from tests.support.servers import ReadyCluster

from .servers import frozen

pytestmark = [pytest.mark.long, pytest.mark.programs]

CONTEXT = Context(Actor.system("test"), "pytest")
ORDERS = 40
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))
PASSWORD = Password("correct horse")


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[LocalServer]:
    """The NATS server of this test."""
    with nats_server(tmp_path) as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[LocalServer]:
    """The Redis server of this test."""
    with redis_server(tmp_path) as server:
        yield server


def settings(database_url: str, **others: Any) -> Settings:
    return Settings.model_validate({"database_url": database_url, "connect_timeout": 10, **others})


async def registered(shop: Shop) -> User:
    name = PersonName("Ada", "Lovelace")
    result = await shop.users.register(CONTEXT, Profile(name, EmailAddress(f"{uuid.uuid4().hex}@example.org")), PASSWORD)
    assert isinstance(result, Ok)
    return result.value


async def placed_and_paid(shop: Shop, user_id: UserId) -> OrderId | None:
    """Place and pay an order; return None if the database was down."""
    placed = await shop.orders.place(CONTEXT, NewOrder(user_id, (LINE,)))
    if isinstance(placed, Err):
        return None
    paid = await shop.orders.pay(CONTEXT, placed.value.id)
    return placed.value.id if isinstance(paid, Ok) else None


async def totals(conn: AsyncConnection[Any]) -> tuple[Any, ...] | None:
    cur = await conn.execute("""
        SELECT (SELECT count(*) FROM orders WHERE status = 'paid'), (SELECT coalesce(sum(orders), 0)::int FROM daily_sales),
               (SELECT count(*) FROM outbox WHERE published_at IS NULL), (SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL),
               (SELECT count(*) FROM inbox WHERE handled_at IS NULL)
    """)
    return await cur.fetchone()


@asynccontextmanager
async def at_work(shop: Shop) -> AsyncGenerator[None]:
    """Run a relay and the consumer of sales until the end of the block."""
    assert shop.relay is not None
    assert shop.consumers is not None
    stop = asyncio.Event()
    tasks = [asyncio.create_task(shop.relay.run(stop)), asyncio.create_task(shop.consumers["sales"].run(stop))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await condition():  # noqa: ASYNC110 the state is the database's
            await asyncio.sleep(0.05)


async def test_nats_killed_under_load_loses_and_repeats_nothing(
    database_url: str, nats: LocalServer, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    async with open_shop(settings(database_url, nats_url=nats.url), Adapters(passwords=cheap_hasher)) as shop:
        user = await registered(shop)
        async with at_work(shop):
            for number in range(ORDERS):
                assert await placed_and_paid(shop, user.id) is not None
                if number in {10, 25}:
                    await asyncio.to_thread(nats.kill)
                if number in {15, 30}:
                    await asyncio.to_thread(nats.start)

            async def all_arrived() -> bool:
                return await totals(conn) == (ORDERS, ORDERS, 0, 0, 0)

            await until(all_arrived)
    cur = await conn.execute("SELECT count(*) FROM inbox WHERE event_type = 'OrderPaid' AND consumer = 'sales'")
    assert await cur.fetchone() == (ORDERS,)


@contextmanager
def program(database_url: str, nats_url: str, *arguments: str) -> Generator[subprocess.Popen[bytes]]:
    """Run `shop` in a separate process until the end of the block."""
    command = [sys.executable, "-m", "shop.cli", *arguments]
    environment = os.environ | {"DATABASE_URL": database_url, "NATS_URL": nats_url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_relay_and_consumer_killed_under_load_lose_and_repeat_nothing(
    database_url: str, nats: LocalServer, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    async with open_shop(settings(database_url, nats_url=nats.url), Adapters(passwords=cheap_hasher)) as shop:
        user = await registered(shop)
        placed = 0

        async def are_at_work() -> bool:
            found = await totals(conn)
            return found is not None and found[1] > 0

        # Both are killed while they work, and those of this process take over.
        async with asyncio.timeout(300):
            with program(database_url, nats.url, "relay"), program(database_url, nats.url, "consume", "sales"):
                while not await are_at_work():
                    assert await placed_and_paid(shop, user.id) is not None
                    placed += 1

        async def all_arrived() -> bool:
            return await totals(conn) == (placed, placed, 0, 0, 0)

        async with at_work(shop):
            await until(all_arrived)


@pytest.mark.slow
async def test_events_claimed_by_a_frozen_relay_are_published_by_another(
    database_url: str, nats: LocalServer, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    async def number(query: str) -> int:
        row = await (await conn.execute(query.encode())).fetchone()
        assert row is not None
        return int(row[0])

    async def is_claimed() -> bool:
        return await number("SELECT count(*) FROM outbox WHERE claimed_until > now()") > 0

    async def is_published() -> bool:
        return await number("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0

    async with open_shop(settings(database_url), Adapters(passwords=cheap_hasher)) as shop:
        await registered(shop)
    with ExitStack() as stack:
        # It accepts connections and never answers.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        frozen = stack.enter_context(program(database_url, f"nats://127.0.0.1:{silent.getsockname()[1]}", "relay"))
        await until(is_claimed)
        frozen.send_signal(signal.SIGSTOP)
        stack.enter_context(program(database_url, nats.url, "relay"))
        await until(is_published)


async def sent(conn: Connection) -> None:
    """Return when a statement is on its way."""
    while conn.info.transaction_status is not TransactionStatus.ACTIVE:  # noqa: ASYNC110 it is a state of libpq
        await asyncio.sleep(0)


async def test_the_wait_for_a_frozen_server_is_limited(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    # PostgreSQL's own timeouts are frozen too.
    async with open_pool(database_url, PoolOptions(statement_timeout=20, answer_margin=3)) as pool:

        @asynccontextmanager
        async def held() -> AsyncGenerator[tuple[Connection, Callable[[], None]]]:
            async with pool.connection() as conn:
                assert conn.patience == 23
                await conn.execute("BEGIN")
                process = conn.info.backend_pid

                def freeze() -> None:
                    os.kill(process, signal.SIGSTOP)
                    conn.patience = 0.1

                try:
                    yield conn, freeze
                finally:
                    os.kill(process, signal.SIGCONT)
                assert conn.closed

        async def ask() -> None:
            async with held() as (conn, freeze):
                freeze()
                with pytest.raises(StoreLost, match="the server has not answered for"), translated():
                    await conn.execute("SELECT 1")

        async def ask_a_prepared_statement() -> None:
            async with held() as (conn, freeze):
                for _ in range(8):
                    await Queries(conn)(get_user, id=uuid.UUID(int=0))
                freeze()
                with pytest.raises(StoreLost, match="the server has not answered for"), translated():
                    await Queries(conn)(get_user, id=uuid.UUID(int=0))

        async def commit() -> None:
            async with held() as (conn, freeze):
                unit_of_work = PostgresUnitOfWork(conn)
                freeze()
                with pytest.raises(CommitOutcomeUnknown):
                    await unit_of_work.commit()

        async def cancel() -> None:
            async with held() as (conn, freeze):
                freeze()
                conn.patience = None
                asking = asyncio.create_task(conn.execute("SELECT 1"))
                await sent(conn)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking

        await asyncio.gather(ask(), ask_a_prepared_statement(), commit(), cancel())
    # The driver's own attempts to end a statement are logged, and take ten seconds.
    assert [record.message for record in caplog.records if record.name == "psycopg"] == []


async def test_a_cancelled_statement_is_ended_and_its_connection_stays(database_url: str) -> None:
    async with open_pool(database_url) as pool, pool.connection() as conn:
        for statement in ("SELECT pg_sleep(600)", "SELECT 1"):
            asking = asyncio.create_task(conn.execute(statement.encode()))
            await sent(conn)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert await (await conn.execute("SELECT 2")).fetchone() == (2,)


async def test_connections_killed_under_load_lose_and_repeat_nothing(
    database_url: str, nats: LocalServer, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    async with open_shop(settings(database_url, nats_url=nats.url), Adapters(passwords=cheap_hasher)) as shop:
        user = await registered(shop)
        killed = 0
        # Each time at another point of the work.
        moments = cycle(milliseconds / 1000 for milliseconds in range(0, 30, 2))

        async def kill_one_in(seconds: float) -> None:
            nonlocal killed
            await asyncio.sleep(seconds)
            cur = await conn.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
            """)
            killed += cur.rowcount

        async with at_work(shop):
            known: list[OrderId] = []
            while len(known) < ORDERS:
                # The order after it is not interrupted: with slow connections nothing would ever finish.
                interrupted, _ = await asyncio.gather(placed_and_paid(shop, user.id), kill_one_in(next(moments)))
                left_alone = await placed_and_paid(shop, user.id)
                known += [order_id for order_id in (interrupted, left_alone) if order_id is not None]
            assert killed > 0

            async def all_arrived() -> bool:
                # More orders may be paid than known: the answer of a commit may be lost.
                found = await totals(conn)
                return found is not None and found[0] >= ORDERS and found[1:] == (found[0], 0, 0, 0)

            await until(all_arrived)
        for order_id in known:
            cur = await conn.execute("SELECT status::text FROM orders WHERE id = %s", [order_id])
            assert await cur.fetchone() == ("paid",)


async def test_answers_are_correct_while_redis_is_killed_under_load(
    database_url: str, redis: LocalServer, cheap_hasher: PasswordHasher
) -> None:
    async with open_shop(settings(database_url, redis_url=redis.url), Adapters(passwords=cheap_hasher)) as shop:
        user = await registered(shop)
        for number in range(1, ORDERS + 1):
            assert isinstance(await shop.orders.place(CONTEXT, NewOrder(user.id, (LINE,))), Ok)
            answers = await asyncio.gather(*(shop.reads.order_summary(user.id) for _ in range(5)))
            for answer in answers:
                assert isinstance(answer, Ok)
                assert [total.orders for total in answer.value.totals] == [number]
            if number in {10, 25}:
                await asyncio.to_thread(redis.kill)
            if number in {15, 30}:
                await asyncio.to_thread(redis.start)
        assert shop.cache.hits > 0


async def test_a_frozen_redis_delays_no_write_and_is_logged_once(
    database_url: str, redis: LocalServer, cheap_hasher: PasswordHasher, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_shop(settings(database_url, redis_url=redis.url), Adapters(passwords=cheap_hasher)) as shop:
        user = await registered(shop)
        assert isinstance(await shop.reads.order_summary(user.id), Ok)
        with frozen(redis):
            for _ in range(ORDERS):
                assert isinstance(await shop.orders.place(CONTEXT, NewOrder(user.id, (LINE,))), Ok)

        async def is_read_again() -> bool:
            hits = shop.cache.hits
            answer = await shop.reads.order_summary(user.id)
            assert isinstance(answer, Ok)
            assert [total.orders for total in answer.value.totals] == [ORDERS]
            return shop.cache.hits > hits

        await until(is_read_again)
    assert [(record.name, record.exc_info) for record in caplog.records if record.levelno >= logging.WARNING] == [("shop.cache", None)] * 2


async def test_a_server_killed_during_commits_keeps_acknowledged_orders(
    tmp_path_factory: pytest.TempPathFactory, ready_cluster: ReadyCluster, dbmate: Callable[..., str], cheap_hasher: PasswordHasher
) -> None:
    project = tmp_path_factory.mktemp("killed")
    ready_cluster.copy_to(project)
    with embedded.running(project):
        admin_url = embedded.url(project, "postgres")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            # A server that by default acknowledges commits long before they are on disk; the service overrides that.
            admin.execute("ALTER SYSTEM SET synchronous_commit = off")
            admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("CREATE DATABASE shop")
        database_url = urlsplit(admin_url)._replace(path="/shop").geturl()
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute("ALTER DATABASE shop SET synchronous_commit = off")
        dbmate(database_url, "up")
        acknowledged: list[Order] = []
        outcomes: set[type[object]] = set()
        async with AsyncExitStack() as stack:
            chosen = settings(database_url, pool_wait_timeout=1)
            shop = await stack.enter_async_context(open_shop(chosen, Adapters(passwords=cheap_hasher)))
            user = await registered(shop)

            async def work() -> None:
                while True:
                    result = await shop.orders.place(CONTEXT, NewOrder(user.id, (LINE,)))
                    match result:
                        case Ok(order):
                            acknowledged.append(order)
                        case Err(error):
                            outcomes.add(type(error))
                            return

            workers = [asyncio.create_task(work()) for _ in range(5)]
            while len(acknowledged) < 100:  # noqa: ASYNC110 the condition is a number
                await asyncio.sleep(0.01)
            state = project / ".sqlwright" / "postgres" / "postmaster.pid"
            os.kill(int(state.read_text(encoding="utf-8").split()[0]), signal.SIGKILL)
            # The postmaster is gone; its children terminate when they detect that.
            await asyncio.gather(*workers)
        assert outcomes <= {Unavailable, OutcomeUnknown}
        assert outcomes
        with embedded.running(project), psycopg.connect(database_url) as conn:
            there = {row[0] for row in conn.execute("SELECT id FROM orders")}
        assert {order.id for order in acknowledged} <= there


async def test_a_stream_that_lost_its_end_in_a_power_failure_is_detected_and_refilled(
    tmp_path: Path, database_url: str, nats: LocalServer, cheap_hasher: PasswordHasher
) -> None:
    chosen = settings(database_url, nats_url=nats.url)
    storage = tmp_path / "nats"

    async def stream() -> tuple[bool, str]:
        async with health_checks(chosen) as checks:
            [finding] = [each for each in (await check_health(checks)).findings if each.name == "stream"]
        return finding.is_healthy, finding.detail

    async def published(shop: Shop) -> int:
        assert shop.relay is not None
        async with asyncio.timeout(300):
            while True:
                try:
                    return await shop.relay.run_until_empty()
                except BrokerUnavailable:
                    # It is starting.
                    await asyncio.sleep(0.05)

    async with open_shop(chosen, Adapters(passwords=cheap_hasher)) as shop:
        assert shop.consumers is not None
        user = await registered(shop)
        assert await placed_and_paid(shop, user.id) is not None
        assert await published(shop) == 3
        nats.stop()
        shutil.copytree(storage, tmp_path / "synced")
        nats.start()
        assert await placed_and_paid(shop, user.id) is not None
        assert await published(shop) == 2
        nats.kill()
        # Restore the state on disk at the power failure: messages acknowledged since are lost.
        [kept], [lost] = (list(folder.rglob("msgs")) for folder in (tmp_path / "synced", storage))
        shutil.rmtree(lost)
        shutil.copytree(kept, lost)
        nats.start()
        assert await stream() == (False, "2 published events are missing from the stream; run: shop outbox republish 4 5")
        # The stream reuses the sequence numbers of the lost messages, which the relay detects.
        assert await placed_and_paid(shop, user.id) is not None
        assert await published(shop) == 4
        assert await stream() == (True, "complete, 7 messages")
        async with asyncio.timeout(300):
            while sum(day.orders for day in await sold(shop)) < 3:
                await shop.consumers["sales"].run_once()


async def sold(shop: Shop) -> Sequence[DailySales]:
    found = await shop.reads.daily_sales(date.min)
    assert isinstance(found, Ok)
    return found.value
