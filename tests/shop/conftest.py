"""A migrated database for every test: a copy of one that the real dbmate made, on a real server."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sysconfig
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection, sql

from shop.application.audit import AuditLog
from shop.application.broker import Subscription
from shop.application.consumer import Inbox, read_message
from shop.application.messages import Message
from shop.application.passwords import PasswordHasher
from shop.application.read_models import DailySales
from shop.application.reads import Directories, OpenDirectories
from shop.application.relay import OutboxQueue
from shop.application.unit_of_work import BeginUnitOfWork
from shop.application.user_directory import UserDirectory
from shop.domain.events import Event
from shop.domain.orders import OrderRepository
from shop.domain.users import UserRepository
from shop.domain.values import PasswordHash
from shop.infrastructure.memory.broker import MemoryBroker
from shop.infrastructure.memory.directories import directories as memory_directories
from shop.infrastructure.memory.directories import directories_in
from shop.infrastructure.memory.messaging import MemoryInbox, MemoryOutboxQueue
from shop.infrastructure.memory.repositories import MemoryAuditLog, MemoryOrderRepository, MemoryUserRepository
from shop.infrastructure.memory.state import MemoryState, MemoryTransaction
from shop.infrastructure.memory.store import MemoryStore
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.postgres.audit_log import PostgresAuditLog
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.directories import directories as directories_of
from shop.infrastructure.postgres.directories import directories_on
from shop.infrastructure.postgres.inbox import PostgresInbox
from shop.infrastructure.postgres.order_repository import PostgresOrderRepository
from shop.infrastructure.postgres.outbox_queue import PostgresOutboxQueue
from shop.infrastructure.postgres.pool import Pool, open_pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.unit_of_work import units_of_work
from shop.infrastructure.postgres.user_repository import PostgresUserRepository
from shop.local_servers import LocalServer, nats_server
from sqlwright.postgres import container

from .log_watch import LogWatch

REPOSITORY = Path(__file__).parents[2]
CONTAINER = "docker:"


@pytest.fixture(scope="session", autouse=True)
def log_watch() -> Iterator[LogWatch]:
    """Read all that is logged by this process. At the end it must still find a secret: a watch that sees nothing proves nothing."""
    with LogWatch().watching() as watch:
        yield watch
        left = watch.take()
        for name in ("shop.canary", "elsewhere"):
            logging.getLogger(name).debug("this is %s", "s3cret")
        assert len(watch.take()) == 2, "the watch does not see what is logged"
        assert left == []


@pytest.fixture(autouse=True)
def no_secret_is_logged(log_watch: LogWatch) -> Iterator[None]:
    """Hold every test to it that no line, at any level and by any logger, holds a secret or what stands in a row."""
    yield
    assert log_watch.take() == []


class Dbmate(Protocol):
    """The real dbmate with this repository's migrations."""

    def __call__(self, database_url: str, *arguments: str) -> str:
        """Run it on the database of a URL, and give what it printed."""
        ...


@pytest.fixture(scope="session")
def dbmate() -> Dbmate:
    """Give dbmate as `make migrate` finds it: from this environment first."""
    program = shutil.which("dbmate", path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])))
    assert program is not None, "dbmate is not installed"

    def run(database_url: str, *arguments: str) -> str:
        command = [program, "--no-dump-schema", "--migrations-dir", str(REPOSITORY / "migrations"), "--url", database_url, *arguments]
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    return run


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server on which tests may create and drop databases: what SQLWRIGHT_DATABASE_URL names, else the embedded one of this test run.

    `docker:` and an image there gives a container, which sqlwright runs through testcontainers.
    """
    own = os.environ.get("SQLWRIGHT_DATABASE_URL", "")
    if own.startswith(CONTAINER):
        with container.running(own.removeprefix(CONTAINER)) as url:
            yield url
    else:
        embedded: str = own or request.getfixturevalue("proof_server")
        yield embedded


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Iterator[Callable[[str], str]]:
    """Make a database as a copy of the named one, and give its URL. A server of the developer's own has none of them left at the end."""
    made: list[str] = []
    with psycopg.connect(server_url, autocommit=True) as admin:

        def make(template: str) -> str:
            name = f"shop_test_{uuid.uuid4().hex}"
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
            made.append(name)
            return urlsplit(server_url)._replace(path=f"/{name}").geturl()

        yield make
        # The embedded server and a container go with all of their databases, and each DROP takes a checkpoint.
        own = os.environ.get("SQLWRIGHT_DATABASE_URL", CONTAINER)
        for name in [] if own.startswith(CONTAINER) else made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated_template(new_database: Callable[[str], str], dbmate: Dbmate) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    database_url = new_database("template1")
    dbmate(database_url, "up")
    return urlsplit(database_url).path.removeprefix("/")


@pytest.fixture
def database_url(new_database: Callable[[str], str], migrated_template: str) -> str:
    """The URL of a migrated, empty database of this test's own."""
    return new_database(migrated_template)


@pytest_asyncio.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the test's database, in autocommit mode as the pool's are."""
    async with await Connection.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def queries(conn: AsyncConnection[Any]) -> Queries:
    """The way to the test's database."""
    return Queries(conn)


@pytest.fixture
def pg_users(queries: Queries) -> PostgresUserRepository:
    """PostgreSQL's users, on the test's connection."""
    return PostgresUserRepository(queries)


@dataclass(frozen=True)
class Ports:
    """The ports that are kept by PostgreSQL and in memory, all on the same data."""

    users: UserRepository
    orders: OrderRepository
    audit: AuditLog
    directories: Directories


@pytest.fixture(params=["memory", "postgres"])
def ports(request: pytest.FixtureRequest) -> Ports:
    """The ports of either kind of adapter."""
    if request.param == "memory":
        tx = MemoryTransaction(MemoryState())
        return Ports(MemoryUserRepository(tx), MemoryOrderRepository(tx), MemoryAuditLog(tx), directories_in(tx))
    queries: Queries = request.getfixturevalue("queries")
    return Ports(PostgresUserRepository(queries), PostgresOrderRepository(queries), PostgresAuditLog(queries), directories_on(queries))


@pytest.fixture
def users(ports: Ports) -> UserRepository:
    """A user repository of either kind."""
    return ports.users


@pytest.fixture
def orders(ports: Ports) -> OrderRepository:
    """An order repository of either kind, which knows the users of `users`."""
    return ports.orders


@pytest.fixture
def audit(ports: Ports) -> AuditLog:
    """An audit log of either kind."""
    return ports.audit


@pytest.fixture
def directories(ports: Ports) -> Directories:
    """The read side of either kind, on what the repositories write."""
    return ports.directories


@pytest.fixture
def directory(directories: Directories) -> UserDirectory:
    """The read side's users."""
    return directories.users


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's database."""
    async with open_pool(database_url) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
def begin(request: pytest.FixtureRequest) -> BeginUnitOfWork:
    """What begins units of work of either kind, all on the same data."""
    return MemoryStore().begin if request.param == "memory" else units_of_work(request.getfixturevalue("pool"))


class CheapHasher:
    """`PasswordHasher` for tests whose subject is not hashing: the text itself, and quick. Hashes of `v1` are outdated."""

    async def hash(self, password: str) -> PasswordHash:
        """Give a hash that anyone can read."""
        return PasswordHash(f"$v2${password.encode().hex() or '0'}")

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Compare."""
        return hashed is not None and hashed.encoded.rpartition("$")[2] == password.encode().hex()

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Tell by the name."""
        return hashed.encoded.startswith("$v1$")


@pytest.fixture
def cheap_hasher() -> PasswordHasher:
    """A hasher for tests whose subject is not hashing."""
    return CheapHasher()


@dataclass(frozen=True)
class Messaging:
    """The ports of the outbox and the inbox, on the data of one unit of work's kind."""

    begin: BeginUnitOfWork
    queue: OutboxQueue
    inbox: Callable[[str], Inbox]
    open_directories: OpenDirectories

    async def tell(self, *events: Event) -> None:
        """Write events into the outbox."""
        async with self.begin() as uow:
            for event in events:
                await uow.outbox.add(event, "trace-1")
            await uow.commit()

    async def sales(self) -> list[DailySales]:
        """The effect of the consumer `sales`."""
        async with self.open_directories() as directories:
            return list(await directories.orders.daily_sales(date.min))

    async def dead(self) -> list[tuple[str, uuid.UUID, str, int, str]]:
        """The dead letters: who gave up which message of what type, after how many attempts, and why."""
        async with self.open_directories() as directories:
            found = await directories.dead_letters.newest(100)
            return [(each.consumer, each.message_id, each.event_type, each.attempts, each.last_error) for each in found]


@pytest.fixture(params=["memory", "postgres"])
def messaging(request: pytest.FixtureRequest) -> Messaging:
    """Outbox and inbox of either kind."""
    if request.param == "memory":
        store = MemoryStore()
        return Messaging(store.begin, MemoryOutboxQueue(store), lambda consumer: MemoryInbox(store, consumer), memory_directories(store))
    pool: Pool = request.getfixturevalue("pool")
    return Messaging(units_of_work(pool), PostgresOutboxQueue(pool), lambda consumer: PostgresInbox(pool, consumer), directories_of(pool))


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A NATS server of this test run's."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest_asyncio.fixture
async def nats_broker(nats: LocalServer) -> AsyncIterator[NatsBroker]:
    """A broker on an empty stream."""
    async with open_broker(nats.url) as broker:
        await broker.jetstream()
        yield broker
        # By the connection as it is now: a test may have lost the stream, and with it this one.
        await (await broker.jetstream()).delete_stream("SHOP")


Broker = NatsBroker | MemoryBroker


@pytest.fixture(params=["memory", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """A broker of either kind."""
    if request.param == "memory":
        return MemoryBroker()
    made: NatsBroker = request.getfixturevalue("nats_broker")
    return made


async def bodies(subscription: Subscription, wait: float = 0.2) -> list[Message]:
    """Take all messages that there are."""
    found: list[Message] = []
    while delivery := await subscription.next(wait):
        found.append(read_message(delivery.body))
        await delivery.accept()
    return found
