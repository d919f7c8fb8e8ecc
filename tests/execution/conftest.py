"""A project that is compiled as a user compiles it, imported, and run on the real server."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.servers import Servers
from tests.support.sqlc import Recordings

from .commands_project import CALLS, OTHER_PACKAGES, Load, compile_project, prepare_at_once
from .commands_project import OTHER_PROJECT as PROJECT

DATABASE = "execution"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory, proof_server: str, recordings: Recordings) -> None:
    """Make the packages that are generated from `project` importable."""
    compile_project(PROJECT, tmp_path_factory.mktemp("execution") / "project", proof_server, recordings)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The URL of the server on which functions execute, of the version that `--postgres` names; the proofs are the newest server's."""
    return servers.conninfo(int(str(request.config.getoption("--postgres"))))


@pytest.fixture(params=CALLS)
def calls(request: pytest.FixtureRequest) -> str:
    """How functions execute: with a cursor or without."""
    return str(request.param)


@pytest.fixture
def load(compiled: None, calls: str) -> Load:
    """Import a module of the package that is generated from `project`, by its name; "" is the package itself."""
    package = OTHER_PACKAGES[calls]
    return lambda name: importlib.import_module(f"{package}.{name}" if name else package)


@pytest.fixture(scope="session")
def database(server: str) -> Generator[str]:
    """The URL of a database that holds the project's schema."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(DATABASE)))
    url = make_conninfo(server, dbname=DATABASE)
    with psycopg.connect(url) as connection:
        connection.execute((PROJECT / "schema.sql").read_bytes())
    yield url
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))


@pytest.fixture
def conn(database: str, calls: str) -> Generator[psycopg.Connection[Any]]:
    """A connection whose changes are rolled back."""
    with psycopg.connect(database) as connection, connection.transaction(force_rollback=True):
        if calls == "direct":
            prepare_at_once(connection)
        yield connection
