"""A project that is compiled as a user compiles it, imported, and run on the real server."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support.sqlc import Recordings

from .commands_project import OTHER_PROJECT as PROJECT
from .commands_project import Load, compile_project

PACKAGE = "execution_db"


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory, proof_server: str, recordings: Recordings) -> Load:
    """Import a module of the package that is generated from `project`, by its name; "" is the package itself."""
    compile_project(PROJECT, tmp_path_factory.mktemp("execution") / "project", proof_server, recordings)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}" if name else PACKAGE)


@pytest.fixture(scope="session")
def database(proof_server: str) -> Generator[str]:
    """The URL of a database that holds the project's schema."""
    with psycopg.connect(proof_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(PACKAGE)))
    url = proof_server.replace("/postgres?", f"/{PACKAGE}?")
    with psycopg.connect(url) as connection:
        connection.execute((PROJECT / "schema.sql").read_bytes())
    yield url
    with psycopg.connect(proof_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(PACKAGE)))


@pytest.fixture
def conn(database: str) -> Generator[psycopg.Connection[Any]]:
    """A connection whose changes are rolled back."""
    with psycopg.connect(database) as connection, connection.transaction(force_rollback=True):
        yield connection
