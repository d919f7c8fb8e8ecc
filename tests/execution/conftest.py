"""A project that is compiled as a user compiles it, imported, and run on the real server."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from sqlwright.cli.application import app

PROJECT = Path(__file__).parent / "project"
PACKAGE = "execution_db"
Load: TypeAlias = Callable[[str], Any]


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory, proof_server: str) -> Load:
    """Give a module of the package that is generated from `project`, by its name; "" is the package itself."""
    folder = tmp_path_factory.mktemp("execution") / "project"
    shutil.copytree(PROJECT, folder)
    result = CliRunner().invoke(app, ["generate", "--config", str(folder / "sqlc.yaml")], env={"SQLWRIGHT_DATABASE_URL": proof_server})
    assert result.exit_code == 0, result.stderr
    sys.path.insert(0, str(folder))
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
