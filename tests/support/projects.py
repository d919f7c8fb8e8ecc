"""Projects of a few lines that test modules declare: compiled, imported, and run against a database with their schema.

All that are declared are put before one run of sqlc, see `tests.support.sqlc`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support import sqlc
from tests.support.program import run_here
from tests.support.sqlc import Recordings

_NUMBERS = count(1)


@dataclass(frozen=True)
class Source:
    """What a project is made from: its files, and the paths and options of its block in sqlc's configuration, as JSON."""

    files: tuple[tuple[str, str], ...]
    paths: str
    options: str

    @property
    def schema(self) -> str:
        """The text of `schema.sql`."""
        return dict(self.files)["schema.sql"]

    def write(self, folder: Path, out: str) -> Path:
        """Write the project's files and return its configuration."""
        plugin = {"name": "sqlwright", "process": {"cmd": "sqlwright-plugin", "format": "json"}, "env": ["SQLWRIGHT_DATABASE_URL"]}
        codegen = {"plugin": "sqlwright", "out": out, "options": json.loads(self.options)}
        block = {"engine": "postgresql", **json.loads(self.paths), "codegen": [codegen]}
        config = json.dumps({"version": "2", "plugins": [plugin], "sql": [block]})
        for name, text in (*self.files, ("sqlc.json", config)):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder / "sqlc.json"


_DECLARED: dict[Source, None] = {}
sqlc.declare(lambda folder: [source.write(folder / str(number), "db") for number, source in enumerate(_DECLARED)])


def declare(schema: str, queries: str, **options: Any) -> Source:
    """Declare a project of two files while its module is imported; its queries are in `queries.sql`."""
    files = {"schema.sql": schema, "queries.sql": queries}
    return declare_files(files, schema=["schema.sql"], queries=["queries.sql"], **({"clients": "both"} | options))


def declare_files(files: Mapping[str, str], *, schema: Sequence[str], queries: Sequence[str], **options: Any) -> Source:
    """Declare a project while its module is imported. `schema` and `queries` are paths as sqlc takes them."""
    source = Source(tuple(files.items()), json.dumps({"schema": schema, "queries": queries}), json.dumps(options))
    _DECLARED[source] = None
    return source


class Project:
    """A compiled project: its package, its folder, what the compiler said, and a database with its schema."""

    def __init__(self, source: Source, package: str, folder: Path, stderr: str, server: str) -> None:
        self.package = package
        self.folder = folder
        self.stderr = stderr
        self._source = source
        self._server = server

    @cached_property
    def conninfo(self) -> str:
        """How to connect to the database, which is made when it is first asked for."""
        with psycopg.connect(self._server, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(self.package)))
        conninfo = make_conninfo(self._server, dbname=self.package)
        with psycopg.connect(conninfo) as connection:
            connection.execute(self._source.schema.encode())
        return conninfo

    def module(self, name: str = "") -> Any:
        """Import a module of the package; "" is the package itself."""
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
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

    def __init__(self, conninfo: str, folder: Path, recordings: Recordings) -> None:
        self._conninfo = conninfo
        self._folder = folder
        self._recordings = recordings

    def compile(self, source: Source) -> Project:
        """Compile a declared project into a package with a unique name."""
        package = f"typed_{next(_NUMBERS)}"
        folder = self._folder / package
        config = source.write(folder, package)
        done = run_here(folder, ("generate", "--config", config.name), {"SQLWRIGHT_DATABASE_URL": self._conninfo}, self._recordings)
        assert done.code == 0, done.err
        return Project(source, package, folder, done.err, self._conninfo)
