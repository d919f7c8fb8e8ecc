"""A project with every command, compiled once, and its functions called in either colour on any kind of connection."""

from __future__ import annotations

import importlib
import inspect
import itertools
import shutil
import sys
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from tests.support import sqlc
from tests.support.program import run_here
from tests.support.sqlc import Recordings

PROJECT = Path(__file__).parent / "commands"
OTHER_PROJECT = Path(__file__).parent / "project"
# The names of the packages by how their functions execute.
PACKAGES = {
    "cursor": "commands_db",
    "direct": "commands_direct_db",
    "traced": "commands_traced_db",
    "traced direct": "commands_traced_direct_db",
}
OTHER_PACKAGES = {"cursor": "execution_db", "direct": "execution_direct_db"}
CALLS = ("cursor", "direct")
sqlc.declare(lambda _: [project / "sqlc.yaml" for project in (PROJECT, OTHER_PROJECT)])
# Imports a module of a package by its name.
Load: TypeAlias = Callable[[str], Any]
SITUATIONS = ("transaction", "autocommit", "pipeline", "pool", "dict_row")
COLOURS = ("sync", "async")


def compile_project(source: Path, folder: Path, server: str, recordings: Recordings) -> None:
    """Generate the package of a project in a copy, and make it importable."""
    shutil.copytree(source, folder)
    done = run_here(folder, ("generate",), {"SQLWRIGHT_DATABASE_URL": server}, recordings)
    assert done.code == 0, done.err
    sys.path.insert(0, str(folder))


def make_database(server: str) -> str:
    """Create a database with the project's schema and return its URL."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS commands WITH (FORCE)")
        admin.execute("CREATE DATABASE commands STRATEGY FILE_COPY")
    url = make_conninfo(server, dbname="commands")
    with psycopg.connect(url) as connection:
        connection.execute((PROJECT / "schema.sql").read_bytes())
    return url


class Client:
    """Calls functions of the package on one connection, awaiting what is to be awaited."""

    def __init__(self, conn: Any, colour: str) -> None:
        self.conn, self.colour = conn, colour
        calls = conn.info.parameter_status("application_name")
        self.package = PACKAGES[calls]
        self.module: Any = importlib.import_module(f"{self.package}.items")
        self.functions: Any = self.module if colour == "sync" else importlib.import_module(f"{self.package}.aio.items")
        if "direct" in calls:
            prepare_at_once(conn)

    async def __call__(self, function: str, *arguments: object, **named: object) -> Any:
        """Call a function with the connection and return its result."""
        return await wait(getattr(self.functions, function)(self.conn, *arguments, **named))

    def rows(self, name: str, *rows: tuple[object, ...]) -> list[Any]:
        """Make parameter objects of the class of that name."""
        return [getattr(self.module, name)(*row) for row in rows]

    async def items(self, *ids: int) -> None:
        """Add items, each with its number as name."""
        await self("add_items", self.rows("AddItemsParams", *((number, str(number)) for number in ids)))

    async def stream(self, function: str, limit: int | None = None, **named: object) -> list[Any]:
        """Read rows of a stream, all or so many, and close it."""
        found: list[Any] = []
        rows: Generator[Any] | AsyncGenerator[Any] = getattr(self.functions, function)(self.conn, **named)
        if isinstance(rows, Generator):
            for row in rows:
                found.append(row)
                if len(found) == limit:
                    break
            rows.close()
        else:
            async for row in rows:
                found.append(row)
                if len(found) == limit:
                    break
            await rows.aclose()
        return found


class _PreparedAtOnce(OrderedDict[tuple[bytes, tuple[int, ...]], bytes]):
    """Names of prepared statements, in which every statement is found."""

    def __init__(self, pgconn: Any) -> None:
        super().__init__()
        self.pgconn, self.numbers = pgconn, itertools.count()

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the name of a statement, prepared now if it was not."""
        possible = self.pgconn.transaction_status in {TransactionStatus.IDLE, TransactionStatus.INTRANS}
        if key not in self and possible and not self.pgconn.pipeline_status:
            name = f"at_once_{next(self.numbers)}".encode()
            if self.pgconn.prepare(name, *key).status == ExecStatus.COMMAND_OK:
                self[key] = name
        return super().get(key, default)


def prepare_at_once(conn: Any) -> None:
    """Make psycopg find every statement prepared, so that the first call is direct already."""
    conn._prepared._names = _PreparedAtOnce(conn.pgconn)


async def wait(result: Any) -> Any:
    """Return the result, awaited where it is to be."""
    return await result if inspect.isawaitable(result) else result


@asynccontextmanager
async def connected(url: str, colour: str, situation: str) -> AsyncGenerator[Client]:
    """A client in a situation: in a transaction, in a pipeline block, and so on. The URL's application_name says how functions execute."""
    if colour == "sync":
        if situation == "pool":
            with ConnectionPool[psycopg.Connection[Any]](url, min_size=1, open=True) as pool, pool.connection() as pooled:
                yield Client(pooled, colour)
            return
        with psycopg.connect(url, autocommit=situation != "transaction") as conn:
            if situation == "transaction":
                with conn.transaction():
                    yield Client(conn, colour)
            elif situation == "pipeline":
                with conn.pipeline():
                    yield Client(conn, colour)
            else:
                if situation == "dict_row":
                    cast("Any", conn).row_factory = dict_row
                yield Client(conn, colour)
        return
    if situation == "pool":
        async with AsyncConnectionPool[psycopg.AsyncConnection[Any]](url, min_size=1, open=False) as apool, apool.connection() as apooled:
            yield Client(apooled, colour)
        return
    async with await psycopg.AsyncConnection.connect(url, autocommit=situation != "transaction") as aconn:
        if situation == "transaction":
            async with aconn.transaction():
                yield Client(aconn, colour)
        elif situation == "pipeline":
            async with aconn.pipeline():
                yield Client(aconn, colour)
        else:
            if situation == "dict_row":
                cast("Any", aconn).row_factory = dict_row
            yield Client(aconn, colour)
