"""The schema: files that sqlc names, built once into a scratch database that is kept under the hash of their text."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from sqlwright.diagnostics import CompileError, Diagnostic, Place
from sqlwright.lexer import statements
from sqlwright.prove.server import Server
from sqlwright.sources import QuerySource, expand_paths

_MIGRATE = re.compile(r"^\s*--\s*migrate:(?P<direction>up|down)\b", re.IGNORECASE)
_PREFIX = "sqlwright_"
# Older scratch databases beyond this number are dropped: a rebuild costs well under a second.
_KEPT = 8


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A file of the schema.

    `sql` is what is applied: of a dbmate migration the up section, everything else blanked, so that lines keep their numbers.
    """

    path: str
    sql: str
    text: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All schema files in the order in which they apply, and the hash of what they do."""

    files: tuple[SchemaFile, ...]
    digest: str


def read_schema(project: Path, paths: tuple[str, ...]) -> Schema:
    """Read the files that sqlc's `schema:` setting names.

    Raises:
        FileNotFoundError: nothing is there under one of the paths.
    """
    files: list[SchemaFile] = []
    digest = hashlib.sha256()
    for path in expand_paths(project, paths):
        if path.name.endswith(".down.sql"):
            continue  # golang-migrate's way back; sqlc passes over it too
        text = path.read_text(encoding="utf-8")
        file = SchemaFile(path.relative_to(project).as_posix() if path.is_relative_to(project) else path.as_posix(), up_section(text), text)
        files.append(file)
        digest.update(f"{path.name}\0{file.sql}\0".encode())
    return Schema(tuple(files), digest.hexdigest())


def up_section(text: str) -> str:
    """Blank everything but the `-- migrate:up` section of a dbmate migration; other text is returned as it is."""
    lines = text.split("\n")
    marks = {number: match["direction"].lower() for number, line in enumerate(lines) if (match := _MIGRATE.match(line))}
    if "up" not in marks.values():
        return text
    direction = ""
    kept: list[str] = []
    for number, line in enumerate(lines):
        if number in marks:
            direction = marks[number]
            kept.append("")
        else:
            kept.append(line if direction == "up" else "")
    return "\n".join(kept).rstrip("\n") + "\n"


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
