"""The scratch database: the schema's files built once, and kept on the server under the hash of their text."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from sqlwright.diagnostics import CompileError, Diagnostic, Place
from sqlwright.lexer import statements
from sqlwright.prove.schema import Schema, SchemaFile
from sqlwright.prove.server import Server
from sqlwright.sources import QuerySource

_PREFIX = "sqlwright_"
# Older scratch databases beyond this number are dropped: a rebuild costs well under a second.
_KEPT = 8


@contextmanager
def scratch_database(server: Server, schema: Schema) -> Generator[psycopg.Connection[Any], None, None]:
    """Connect to a database that holds the schema and no rows, building it if there is none yet.

    Raises:
        CompileError: PostgreSQL refuses one of the schema files.
    """
    name = f"{_PREFIX}{schema.digest[:24]}"
    with psycopg.connect(server.conninfo(server.admin_database), autocommit=True) as admin:
        if not _exists(admin, name):
            _build(admin, server, schema, name)
    with psycopg.connect(server.conninfo(name), autocommit=True) as connection:
        yield connection


def _exists(admin: psycopg.Connection[Any], name: str) -> bool:
    return admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _build(admin: psycopg.Connection[Any], server: Server, schema: Schema, name: str) -> None:
    """Build under a name of our own and rename when it is complete: a half-built database is never found under the hash."""
    building = f"{name}_{secrets.token_hex(4)}"
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(building)))
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(building)))
    try:
        with psycopg.connect(server.conninfo(building), autocommit=True) as connection:
            for file in schema.files:
                _apply(connection, file)
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name)))
    except BaseException as error:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(building)))
        # Another process was faster, and its database serves us too; in a close race it is the catalog's own index that refuses.
        if not isinstance(error, psycopg.errors.DuplicateDatabase | psycopg.errors.UniqueViolation):
            raise
    _drop_old(admin)


def _apply(connection: psycopg.Connection[Any], file: SchemaFile) -> None:
    if not file.sql.strip():
        return
    try:
        # One simple query for the whole file, as dbmate sends it; the client's copy of the text is never parsed for placeholders.
        connection.execute(file.sql.encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        offset = int(position) - 1 if position else _failing_statement(connection, file.sql)
        message = error.diag.message_primary or str(error)
        raise CompileError(
            [
                Diagnostic(
                    f"PostgreSQL refuses the schema: {message}",
                    _place(file, offset),
                    help=error.diag.message_hint or "mend the migration; it must apply to an empty database, after the files before it.",
                )
            ]
        ) from error


def _failing_statement(connection: psycopg.Connection[Any], text: str) -> int:
    """Where PostgreSQL names no place: run the statements one by one, for the offset of the one that fails; 0 if none does on its own."""
    starts = [token.start for token in statements(text)]
    failing = 0
    try:
        with connection.transaction(force_rollback=True):
            for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
                failing = start
                connection.execute(text[start:end].encode())
    except psycopg.Error:
        return failing
    return 0


def _place(file: SchemaFile, offset: int) -> Place:
    whole = QuerySource(file.path, "", 0, "", file.text, 1, ())
    return whole.place_at(_offset_in(file, offset))


def _offset_in(file: SchemaFile, offset: int) -> int:
    """Blanked lines are shorter than the file's: go by line and column."""
    line = file.sql.count("\n", 0, offset)
    column = offset - (file.sql.rfind("\n", 0, offset) + 1)
    return sum(len(text) + 1 for text in file.text.split("\n")[:line]) + column


def _drop_old(admin: psycopg.Connection[Any]) -> None:
    rows = admin.execute("SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY oid DESC", [f"^{_PREFIX}[0-9a-f]{{24}}$"]).fetchall()
    for (old,) in rows[_KEPT:]:
        try:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(old)))
        except psycopg.errors.ObjectInUse:
            continue  # another run is proving with it
