"""A migrated database for each test (a copy of one that dbmate migrated, on a real server), and adapters of either kind."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection, sql

from shop.application.commands.passwords import PasswordHasher
from shop.application.reads.repositories import ReadRepositories
from shop.application.reads.users import UserReadRepository
from shop.application.transactions.audit import AuditLog
from shop.application.transactions.unit_of_work import BeginUnitOfWork, CollectedEvents
from shop.bootstrap.administration import grant_to
from shop.bootstrap.settings import Settings
from shop.domain.orders import OrderRepository
from shop.domain.users import UserRepository
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.reads.repositories import read_repositories, read_repositories_on
from shop.infrastructure.postgres.transactions.audit_log import PostgresAuditLog
from shop.infrastructure.postgres.transactions.orders import PostgresOrderRepository
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository
from shop.local_servers import LocalServer, nats_server, redis_server
from sqlwright.postgres import container

from .databases import Databases
from .log_watch import LogWatch
from .memory.broker import MemoryBroker
from .memory.messaging import MemoryInbox, MemoryPendingMessages
from .memory.reads import memory_reads, read_repositories_in
from .memory.repositories import MemoryAuditLog, MemoryOrderRepository, MemoryUserRepository
from .memory.state import MemoryState, MemoryTransaction
from .memory.store import MemoryStore
from .ports import Broker, CheapHasher, Messaging, Ports, Repositories

REPOSITORY = Path(__file__).parents[2]
CONTAINER = "docker:"


@pytest.fixture(scope="module", autouse=True)
def log_watch() -> Iterator[LogWatch]:
    """Inspect all log lines while the tests of a module run. At the end, it must still detect a secret: a blind watch is no proof."""
    with LogWatch().watching() as watch:
        yield watch
        left = watch.take()
        for name in ("shop.canary", "elsewhere"):
            logging.getLogger(name).debug("this is %s", "s3cret")
        assert len(watch.take()) == 2, "the watch misses log lines"
        assert left == []


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take back what the program configures where a test runs it in this process."""
    root, names = logging.getLogger(), ("", "shop", "psycopg.pool")
    handlers, levels = root.handlers, [logging.getLogger(name).level for name in names]
    yield
    root.handlers = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def no_secret_is_logged(log_watch: LogWatch) -> Iterator[None]:
    """Fail a test if any log line, at any level and by any logger, contains a secret or a value of a row."""
    yield
    assert log_watch.take() == []


class Dbmate(Protocol):
    """The real dbmate with this repository's migrations."""

    def __call__(self, database_url: str, *arguments: str) -> str:
        """Run it on the database of a URL, and return its output."""
        ...


@pytest.fixture(scope="session")
def dbmate() -> Dbmate:
    """Return dbmate as `make migrate` finds it: first in this environment."""
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
    """The URL of a server on which tests create databases: that of SQLWRIGHT_DATABASE_URL, by default the embedded one of this test run.

    `docker:` with an image is a container, which sqlwright runs through testcontainers.
    """
    own = os.environ.get("SQLWRIGHT_DATABASE_URL", "")
    if own.startswith(CONTAINER):
        with container.running(own.removeprefix(CONTAINER)) as url:
            yield url
    else:
        embedded: str = own or request.getfixturevalue("proof_server")
        yield embedded


@pytest.fixture(scope="session")
def databases(server_url: str) -> Iterator[Databases]:
    """The databases on the server of this test run. They are dropped at the end if the server outlives the tests."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        databases = Databases(server_url, admin)
        yield databases
        databases.close()
        # The embedded server and a container disappear with their databases, and each DROP takes a checkpoint.
        own = os.environ.get("SQLWRIGHT_DATABASE_URL", CONTAINER)
        for name in [] if own.startswith(CONTAINER) else databases.created:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        if not own.startswith(CONTAINER):
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(databases.service)))


@pytest.fixture(scope="session")
def new_database(databases: Databases) -> Callable[[str], str]:
    """Create a database as a copy of the named one, and return its URL."""
    return databases.copy


@pytest.fixture(scope="session")
def migrated_template(databases: Databases, new_database: Callable[[str], str], dbmate: Dbmate) -> str:
    """The name of a migrated, empty database without connections, in which the service's role has its rights."""
    database_url = new_database("template1")
    dbmate(database_url, "up")
    asyncio.run(grant_to(Settings.model_validate({"database_url": database_url}), databases.service))
    return urlsplit(database_url).path.removeprefix("/")


@pytest.fixture
def database_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database for this test."""
    url = databases.lend(migrated_template)
    yield url
    databases.give_back(url)


@pytest.fixture
def service_url(databases: Databases, database_url: str) -> str:
    """The URL of the test's database for the service's role, which has no other rights than the service needs."""
    return databases.as_service(database_url)


@pytest_asyncio.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the test's database, in autocommit mode as the pool's are."""
    async with await Connection.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def queries(conn: AsyncConnection[Any]) -> Queries:
    """The generated queries on the test's connection."""
    return Queries(conn)


@pytest.fixture
def pg_users(queries: Queries) -> PostgresUserRepository:
    """The user repository of PostgreSQL, on the test's connection."""
    return PostgresUserRepository(queries, CollectedEvents())


@pytest.fixture(params=["memory", "postgres"])
def ports(request: pytest.FixtureRequest) -> Ports:
    """Repositories of either kind."""
    events = CollectedEvents()
    if request.param == "memory":
        tx = MemoryTransaction(MemoryState())
        return Ports(MemoryUserRepository(tx, events), MemoryOrderRepository(tx, events), MemoryAuditLog(tx), read_repositories_in(tx))
    queries: Queries = request.getfixturevalue("queries")
    users, orders = PostgresUserRepository(queries, events), PostgresOrderRepository(queries, events)
    return Ports(users, orders, PostgresAuditLog(queries), read_repositories_on(queries))


@pytest.fixture
def users(ports: Ports) -> UserRepository:
    """A user repository of either kind."""
    return ports.users


@pytest.fixture
def orders(ports: Ports) -> OrderRepository:
    """An order repository of either kind, on the data of `users`."""
    return ports.orders


@pytest.fixture
def audit(ports: Ports) -> AuditLog:
    """An audit log of either kind."""
    return ports.audit


@pytest.fixture
def reads(ports: Ports) -> ReadRepositories:
    """Read repositories of either kind, on the data of the repositories."""
    return ports.reads


@pytest.fixture
def user_reads(reads: ReadRepositories) -> UserReadRepository:
    """The read repository of users of either kind."""
    return reads.users


@pytest_asyncio.fixture
async def pool(service_url: str) -> AsyncIterator[Pool]:
    """A pool of the service's role on the test's database."""
    # That the migrations are applied needs no proof.
    async with open_pool(service_url, is_required=False) as pool:
        yield pool


@pytest_asyncio.fixture
async def inbox_pool(service_url: str) -> AsyncIterator[Pool]:
    """A pool as the inboxes of the service have it."""
    async with open_pool(service_url, PoolOptions(min_size=0, is_checked=False, autocommit=False), is_required=False) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
def begin(request: pytest.FixtureRequest) -> BeginUnitOfWork[Repositories]:
    """The function that begins units of work of either kind, on the same data."""
    return MemoryStore().begin if request.param == "memory" else units_of_work(request.getfixturevalue("pool"))


@pytest.fixture
def cheap_hasher() -> PasswordHasher:
    """A hasher for tests about other things than hashing."""
    return CheapHasher()


@pytest.fixture(params=["memory", "postgres"])
def messaging(request: pytest.FixtureRequest) -> Messaging:
    """Outbox and inbox of either kind."""
    if request.param == "memory":
        store = MemoryStore()
        return Messaging(store.begin, MemoryPendingMessages(store), lambda consumer: MemoryInbox(store, consumer), memory_reads(store))
    pool: Pool = request.getfixturevalue("pool")
    inbox_pool: Pool = request.getfixturevalue("inbox_pool")
    return Messaging(
        units_of_work(pool),
        PostgresPendingMessages(pool),
        lambda consumer: PostgresInbox(inbox_pool, consumer, PostgresSalesLedger),
        read_repositories(pool),
    )


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The NATS server of this test run."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest_asyncio.fixture
async def nats_broker(nats: LocalServer) -> AsyncIterator[NatsBroker]:
    """A broker on an empty stream."""
    async with open_broker(nats.url) as broker:
        await broker.prepare()
        yield broker
        # By the current connection: a test may have deleted the stream, and so closed the previous one.
        await (await broker.jetstream()).delete_stream("SHOP")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the Redis server of this test run, for tests whose keys are their own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["memory", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """A broker of either kind."""
    if request.param == "memory":
        return MemoryBroker()
    nats: NatsBroker = request.getfixturevalue("nats_broker")
    return nats
