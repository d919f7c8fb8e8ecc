"""A campaign: the service between faulty connections, clients at work, and the check when everything has come to rest."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from shop.application.messaging import sales
from shop.application.messaging.consumer import Consumer
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import MessageReader
from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped, UserPasswordChanged, UserProfileUpdated
from shop.domain.result import Err
from shop.domain.users import Role
from shop.domain.values import UserId
from shop.infrastructure.nats.broker import open_broker
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.queries import Queries
from tests.shop.web import PASSWORD, Web, open_web

from . import lists
from .clients import Account, Client, Http, UseCases
from .history import History
from .history_check import check, stored
from .lag import followed
from .people import Device
from .proxy import Proxy, Rates, Upstream, running, tcp, unix
from .sessions import Human, Secret

_SCHEMA: Final = f"""
    DROP SCHEMA IF EXISTS faults CASCADE;
    CREATE SCHEMA faults;
    CREATE TABLE faults.effects (id bigint GENERATED ALWAYS AS IDENTITY, message_id uuid NOT NULL, aggregate text NOT NULL);
    {lists.SCHEMA}
"""
_RATES: Final = {
    "postgres": Rates(connect=0.02, request=0.0015, commit=0.02),
    "replica": Rates(connect=0.02, request=0.005),
    "redis": Rates(connect=0.02, request=0.03),
    "nats": Rates(connect=0.02, request=0.005),
}
# How often each server is gone for a moment.
_OUTAGES: Final = {"postgres": 1, "replica": 2, "redis": 4, "nats": 4}
_OBSERVED: Final = (OrderPlaced, OrderPaid, OrderShipped, OrderCancelled, UserProfileUpdated, UserPasswordChanged)
_CONSUMERS: Final = {"sales": sales.EVENTS, "observer": _OBSERVED}
_REST: Final = 180.0


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of operations, half of them transactions of lists; the clients; and the seconds after which no operation begins."""

    operations: int
    seed: int
    accounts: int = 6
    people: int = 4
    list_clients: int = 8
    seconds: float = 600.0
    between_outages: float = 4.0


@dataclass
class Report:
    """What was done, and what was found."""

    scale: Scale
    operations: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    of_sessions: Counter[str] = field(default_factory=Counter[str])
    lists: list[lists.Checked] = field(default_factory=list[lists.Checked])
    faults: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    violations: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"{self.operations} operations in {self.seconds:.0f} s, seed {self.scale.seed}",
            f"use cases: {dict(sorted(self.outcomes.items()))}; {self.events} events",
            f"answers to clients with sessions: {dict(sorted(self.of_sessions.items()))}",
            *(str(each) for each in self.lists),
            f"{self.faults.total()} faults:",
            *(f"  {count:6d} {name}" for name, count in sorted(self.faults.items())),
            f"{len(self.violations)} violations",
            *(f"  {each}" for each in self.violations[:50]),
        ]
        return "\n".join(lines)


class Effects:
    """The effects of the observer: a row for each event, as often as it is handled."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def record(self, message: Message) -> None:
        """Add a row."""
        await self._query(_record, message=message)


async def _record(conn: AsyncConnection[Any], *, message: Message) -> None:
    await conn.execute("INSERT INTO faults.effects (message_id, aggregate) VALUES (%s, %s)", [message.id, message.aggregate])


async def _observe(event: Event, message: Message, effects: Effects) -> None:
    await effects.record(message)


class Network:
    """The proxies in front of the servers."""

    def __init__(self, database_url: str, standby_url: str, redis_url: str, nats_url: str, seed: int) -> None:
        self._database = {key: str(value) for key, value in conninfo_to_dict(database_url).items()}
        self.proxies = {
            "postgres": Proxy("postgres", postgres_at(database_url), seed, is_postgres=True),
            "replica": Proxy("replica", postgres_at(standby_url), seed, is_postgres=True),
            "redis": Proxy("redis", tcp(urlsplit(redis_url).port or 6379), seed),
            "nats": Proxy("nats", tcp(urlsplit(nats_url).port or 4222), seed),
        }
        self._chance = Random(f"{seed} outages")  # noqa: S311 repeatable
        self.outages = Counter[str]()

    def postgres_url(self, name: str) -> str:
        """Return the URL of the database behind a proxy."""
        user = ":".join(quote(self._database[key], safe="") for key in ("user", "password") if key in self._database)
        return f"postgres://{user}@127.0.0.1:{self.proxies[name].port}/{self._database['dbname']}?sslmode=disable&gssencmode=disable"

    def begin(self) -> None:
        """Begin the faults."""
        for name, proxy in self.proxies.items():
            proxy.rates = _RATES[name]

    async def outages_every(self, seconds: float) -> None:
        """Take a server off the net, again and again."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / seconds))
            name = self._chance.choices(list(_OUTAGES), list(_OUTAGES.values()))[0]
            proxy = self.proxies[name]
            proxy.is_down = True
            proxy.break_all()
            self.outages[name] += 1
            await asyncio.sleep(self._chance.uniform(0.02, 0.4))
            proxy.is_down = False

    async def calm(self) -> None:
        """End the faults."""
        for proxy in self.proxies.values():
            await proxy.calm()

    def faults(self) -> Counter[str]:
        """Count the faults by their kind."""
        found = Counter({f"{name}, outage": count for name, count in self.outages.items()})
        for name, proxy in self.proxies.items():
            for (moment, fault), count in proxy.counts.items():
                found[f"{name}, {moment}: {fault}"] += count
        return found


def postgres_at(database_url: str) -> Upstream:
    """Connect to the server of a database."""
    parameters = conninfo_to_dict(database_url)
    host, port = str(parameters.get("host", "/tmp")), int(parameters.get("port") or 5432)  # noqa: S108 libpq's default
    return unix(f"{host}/.s.PGSQL.{port}") if host.startswith("/") else lambda: asyncio.open_connection(host, port)


async def run(database_url: str, redis_url: str, nats_url: str, scale: Scale, standby_url: str | None = None) -> Report:
    """Run a campaign on a migrated, empty database, and return what was found. Without a standby, the replica is the primary."""
    started = time.monotonic()
    report, history = Report(scale), History()
    async with AsyncExitStack() as stack:
        conn = await stack.enter_async_context(await AsyncConnection.connect(database_url, autocommit=True))
        await conn.execute(_SCHEMA.encode())
        stack.push_async_callback(conn.execute, "DROP SCHEMA faults CASCADE")
        network = Network(database_url, standby_url or database_url, redis_url, nats_url, scale.seed)
        for proxy in network.proxies.values():
            await stack.enter_async_context(running(proxy))
        # Two processes of the service. Clients with sessions renew the tokens that the second one issues.
        web, other = [await stack.enter_async_context(_web(network, lifetime)) for lifetime in (3600, 10)]
        options = PoolOptions(
            max_size=scale.list_clients, wait_timeout=3, connect_timeout=2, statement_timeout=2, answer_margin=1, lock_timeout=1
        )
        pool = await stack.enter_async_context(open_pool(network.postgres_url("postgres"), options))
        accounts, clients = await _clients(web, history, scale)
        devices = await _devices((other, web), history, scale)
        standby = None if standby_url is None else await stack.enter_async_context(followed(database_url, standby_url, history))
        async with _at_work(web, pool, network):
            network.begin()
            disturbing = asyncio.create_task(network.outages_every(scale.between_outages))
            try:
                many = scale.operations // 2

                def is_late() -> bool:
                    return time.monotonic() - started > scale.seconds

                def goes_on() -> bool:
                    return len(history) < many and not is_late()

                ran, _ = await asyncio.gather(
                    _run_lists(pool, scale, many, is_late),
                    asyncio.gather(*(client.run(goes_on) for client in clients), *(device.run(goes_on) for device in devices)),
                )
            finally:
                disturbing.cancel()
                with suppress(asyncio.CancelledError):
                    await disturbing
            await network.calm()
            await _come_to_rest(conn)
            if standby is not None:
                await standby.catch_up()
            totals = {str(account.id): await _totals(web, account.id) for account in accounts}
        there = await stored(conn, totals)
        report.lists = [await lists.check_level(conn, *each) for each in ran]
        report.violations = check(history, there) + [violation for each in report.lists for violation in each.violations]
        report.violations += [f"proxy: {defect!r}" for proxy in network.proxies.values() for defect in proxy.defects]
    report.outcomes, report.of_sessions = history.outcomes(), history.of_sessions
    report.events, report.faults = len(there.events), network.faults()
    report.operations = len(history) + sum(each.history.operations for each in report.lists)
    report.seconds = time.monotonic() - started
    return report


def _web(network: Network, token_lifetime: int) -> AbstractAsyncContextManager[Web]:
    return open_web(
        network.postgres_url("postgres"),
        f"redis://127.0.0.1:{network.proxies['redis'].port}",
        database_read_url=network.postgres_url("replica"),
        nats_url=f"nats://127.0.0.1:{network.proxies['nats'].port}",
        connect_timeout=2,
        statement_timeout=2,
        lock_timeout=1,
        pool_wait_timeout=3,
        use_case_timeout=8,
        token_lifetime=token_lifetime,
    )


async def _clients(web: Web, history: History, scale: Scale) -> tuple[list[Account], list[Client]]:
    """Register accounts, each with two clients at the use cases and one over HTTP."""
    accounts: list[Account] = []
    clients: list[Client] = []
    for number in range(scale.accounts):
        person = await web.person(Role.CLERK)
        account = Account(UserId(UUID(person.id)))
        accounts.append(account)
        for which in range(3):
            chance = Random(f"{scale.seed} client {number} {which}")  # noqa: S311 repeatable
            door = Http(person) if which == 2 else UseCases(web.shop, chance)
            clients.append(Client(account, door, history, chance))
    return accounts, clients


async def _devices(webs: tuple[Web, ...], history: History, scale: Scale) -> list[Device]:
    """Register people, each with two devices, of which a quarter renews its tokens only when they are refused."""
    devices: list[Device] = []
    # The addresses of the accounts are taken.
    webs[0].people = scale.accounts
    for number in range(scale.people):
        person = await webs[0].person()
        human = Human(UserId(UUID(person.id)), f"user{webs[0].people}@example.org", Secret(PASSWORD))
        for which in range(2):
            chance = Random(f"{scale.seed} device {number} {which}")  # noqa: S311 repeatable
            devices.append(Device(human, webs, history, chance, is_lazy=which == 1 and number % 2 == 1))
    return devices


async def _run_lists(pool: Pool, scale: Scale, operations: int, is_late: Callable[[], bool]) -> list[tuple[lists.Level, lists.ListHistory]]:
    each = operations // len(lists.LEVELS)
    return [await lists.run_level(number, pool, scale.seed, each, scale.list_clients, is_late) for number in range(len(lists.LEVELS))]


@asynccontextmanager
async def _at_work(web: Web, pool: Pool, network: Network) -> AsyncGenerator[None]:
    """Run the relay, the consumers and two processes of the observer until the end of the block."""
    assert web.shop.relay is not None
    assert web.shop.consumers is not None
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        observers: list[Consumer] = []
        for _ in range(2):
            broker = await stack.enter_async_context(open_broker(f"nats://127.0.0.1:{network.proxies['nats'].port}"))
            inbox = PostgresInbox(pool, "observer", Effects)
            reader = MessageReader(_OBSERVED, inbox, IdempotentConsumer(inbox, _observe))
            interests = [Interest(reader.types, partition) for partition in range(PARTITIONS)]
            observers.append(Consumer([broker.subscribe("observer", interest) for interest in interests], reader))
        consumers = [web.shop.consumers[name] for name in ("sales", "cache", "sessions")]
        tasks = [asyncio.create_task(run) for run in (web.shop.relay.run(stop), *(each.run(stop) for each in (*consumers, *observers)))]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


# Transactions whose connections broke may have gone on until here.
_OVER: Final = """
    SELECT NOT EXISTS (
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start <= %s
    )
"""
_PUBLISHED: Final = "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
_HANDLED: Final = """
    SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NOT NULL AND consumer = %s)
         = (SELECT count(*) FROM outbox WHERE event_type = ANY(%s))
"""


async def _come_to_rest(conn: AsyncConnection[Any]) -> None:
    """Wait until nothing is in progress any more, and all events are handled."""
    now = await (await conn.execute("SELECT now()")).fetchone()
    await _until(conn, _OVER, now)
    await _until(conn, _PUBLISHED)
    for consumer, events in _CONSUMERS.items():
        await _until(conn, _HANDLED, [consumer, [event.__name__ for event in events]])


async def _until(conn: AsyncConnection[Any], query: str, parameters: Sequence[object] | None = None) -> None:
    async with asyncio.timeout(_REST):
        while await (await conn.execute(query.encode(), parameters)).fetchone() != (True,):  # noqa: ASYNC110 the state is the database's
            await asyncio.sleep(0.1)


async def _totals(web: Web, account: UserId) -> tuple[int, int]:
    """Return an account's totals, as soon as the service answers again."""
    async with asyncio.timeout(_REST):
        while isinstance(read := await web.shop.reads.order_summary(account), Err):  # noqa: ASYNC110 the state is the database's
            await asyncio.sleep(0.1)
    return sum(each.orders for each in read.value.totals), sum(each.cancelled for each in read.value.totals)
