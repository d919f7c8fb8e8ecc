"""Projects of a few lines, compiled as a user compiles them, imported, and run against a database with their schema."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from sqlwright.cli.application import app

from ..proofs.conftest import Servers  # noqa: TID252 - the tests are no package with a name of its own

_NUMBERS = count(1)


@dataclass(frozen=True)
class Project:
    """A compiled project: the name of its package, how to connect to a database with its schema, and what the compiler said."""

    package: str
    conninfo: str
    folder: Path
    stderr: str

    def module(self, name: str = "") -> Any:
        """Import a module of the package; "" is the package itself."""
        return importlib.import_module(f"{self.package}.{name}" if name else self.package)

    @contextmanager
    def connect(self, *, register: bool = True) -> Generator[psycopg.Connection[Any]]:
        """Connect; what is done is rolled back."""
        with psycopg.connect(self.conninfo) as connection, connection.transaction(force_rollback=True):
            if register and hasattr(self.module(), "register"):
                self.module().register(connection)
            yield connection


class Compiler:
    """Makes projects on one server."""

    def __init__(self, conninfo: str, folder: Path) -> None:
        self._conninfo = conninfo
        self._folder = folder

    def compile(self, schema: str, queries: str, **options: Any) -> Project:
        """Compile; the queries are in `queries.sql`."""
        package = f"typed_{next(_NUMBERS)}"
        folder = self._folder / package
        folder.mkdir()
        config = {
            "version": "2",
            "plugins": [
                {"name": "sqlwright", "process": {"cmd": "sqlwright-plugin", "format": "json"}, "env": ["SQLWRIGHT_DATABASE_URL"]},
            ],
            "sql": [
                {
                    "engine": "postgresql",
                    "schema": "schema.sql",
                    "queries": "queries.sql",
                    "codegen": [{"plugin": "sqlwright", "out": package, "options": {"clients": "both", **options}}],
                }
            ],
        }
        (folder / "sqlc.json").write_text(json.dumps(config))
        (folder / "schema.sql").write_text(schema)
        (folder / "queries.sql").write_text(queries)
        result = CliRunner().invoke(
            app, ["generate", "--config", str(folder / "sqlc.json")], env={"SQLWRIGHT_DATABASE_URL": self._conninfo}
        )
        assert result.exit_code == 0, result.stderr
        with psycopg.connect(self._conninfo, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(package)))
        conninfo = make_conninfo(self._conninfo, dbname=package)
        with psycopg.connect(conninfo) as connection:
            connection.execute(schema.encode())
        sys.path.insert(0, str(folder))
        return Project(package, conninfo, folder, result.stderr)


@pytest.fixture(scope="session")
def compiler(proof_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """The compiler on the newest server."""
    path = list(sys.path)
    yield Compiler(proof_server, tmp_path_factory.mktemp("types"))
    sys.path[:] = path


@pytest.fixture(scope="session")
def debian_compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """The compiler on Debian's server, which has the extensions of PostgreSQL's contrib; skips where it is not installed."""
    path = list(sys.path)
    with ExitStack() as stack:
        yield Compiler(Servers(stack).conninfo(15), tmp_path_factory.mktemp("types"))
    sys.path[:] = path
