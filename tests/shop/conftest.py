"""A migrated database for every test: a copy of one that the real dbmate made, on a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection, sql

from shop.application.audit import AuditLog
from shop.application.passwords import PasswordHasher
from shop.application.reads import Directories
from shop.application.unit_of_work import BeginUnitOfWork
from shop.application.user_directory import UserDirectory
from shop.domain.orders import OrderRepository
from shop.domain.users import UserRepository
from shop.domain.values import PasswordHash
from shop.infrastructure.memory.directories import MemoryAuditTrail, MemoryOrderDirectory, MemoryUserDirectory
from shop.infrastructure.memory.repositories import MemoryAuditLog, MemoryOrderRepository, MemoryUserRepository
from shop.infrastructure.memory.state import MemoryState, MemoryTransaction
from shop.infrastructure.memory.store import MemoryStore
from shop.infrastructure.postgres.audit_log import PostgresAuditLog
from shop.infrastructure.postgres.audit_trail import PostgresAuditTrail
from shop.infrastructure.postgres.order_directory import PostgresOrderDirectory
from shop.infrastructure.postgres.order_repository import PostgresOrderRepository
from shop.infrastructure.postgres.pool import Pool, open_pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.unit_of_work import units_of_work
from shop.infrastructure.postgres.user_directory import PostgresUserDirectory
from shop.infrastructure.postgres.user_repository import PostgresUserRepository
from sqlwright.prove import container

REPOSITORY = Path(__file__).parents[2]
CONTAINER = "docker:"


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
async def conn(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection to the test's database, in autocommit mode as the pool's are."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as conn:
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
        directories = Directories(MemoryUserDirectory(tx), MemoryOrderDirectory(tx), MemoryAuditTrail(tx))
        return Ports(MemoryUserRepository(tx), MemoryOrderRepository(tx), MemoryAuditLog(tx), directories)
    queries: Queries = request.getfixturevalue("queries")
    directories = Directories(PostgresUserDirectory(queries), PostgresOrderDirectory(queries), PostgresAuditTrail(queries))
    return Ports(PostgresUserRepository(queries), PostgresOrderRepository(queries), PostgresAuditLog(queries), directories)


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
