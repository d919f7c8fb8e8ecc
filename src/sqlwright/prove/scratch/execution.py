"""Execution of the schema's files, statement by statement, in the transactions that PostgreSQL allows.

A file is one transaction, as migration tools have it. A statement that refuses to run in a transaction (CREATE INDEX CONCURRENTLY, a CALL
that commits), or needs what came before it to be committed (a new label of an enum), ends it, and another begins after it. PostgreSQL
decides: no statement is recognised by its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.prove.scratch import surroundings
from sqlwright.prove.scratch.extensions import Prepared
from sqlwright.prove.scratch.schema import Schema, SchemaFile
from sqlwright.sql.lexer import first_word, significant, statements
from sqlwright.sql.sources import QuerySource

_OWN_TRANSACTION = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"})
_NEEDS_A_COMMIT = (
    psycopg.errors.ActiveSqlTransaction,
    psycopg.errors.InvalidTransactionTermination,
    psycopg.errors.UnsafeNewEnumValueUsage,
)
# Where a server allows it, no database that has one can be dropped, and only its owner's session can end it.
_OUTLIVES = "it would outlive its session: end the transaction by COMMIT."
_SAVEPOINT = "sqlwright_statement"


def execute_schema(connection: psycopg.Connection[Any], schema: Schema, prepared: Prepared) -> None:
    """Execute the files in order.

    Statements about what surrounds the database (roles, rights, tablespaces …) are left out where PostgreSQL refuses them.

    Raises:
        CompileError: PostgreSQL refuses a statement.
    """
    roles = frozenset(role for file in schema.files for role in surroundings.roles_made_in(file.sql))
    execution = _Execution(connection, roles, prepared)
    for file in schema.files:
        execution.run(file)


class _Execution:
    """A session, and whether its transaction is the file's own or ours."""

    def __init__(self, connection: psycopg.Connection[Any], roles: frozenset[str], prepared: Prepared) -> None:
        self._connection = connection
        self._roles = roles
        self._prepared = prepared
        self._ours = False

    def run(self, file: SchemaFile) -> None:
        """Execute a file; it ends outside of any transaction."""
        start = 0
        for start, text in _statements(file.sql):
            if [token.text.lower() for token in significant(text)[:2]] == ["prepare", "transaction"]:
                raise CompileError(
                    [Diagnostic(Code.REFUSED_SCHEMA, "the schema leaves a prepared transaction", _place(file, start), help=_OUTLIVES)]
                )
            attempt = text
            while (error := self._attempt(attempt)) is not None:
                replacement = surroundings.instead_of(attempt, error, self._roles, self._prepared)
                if replacement is None:
                    raise self._refusal(file, start, text, error) from error
                if not replacement.strip():
                    break
                attempt = replacement
        try:
            self._commit()
            if self._in_transaction():
                self._connection.execute("COMMIT")
        except psycopg.Error as error:
            # A deferred constraint.
            raise self._refusal(file, start, "", error) from error

    def _attempt(self, text: str) -> psycopg.Error | None:
        """Execute a statement; return PostgreSQL's refusal, after which everything is as before."""
        try:
            if first_word(text) in _OWN_TRANSACTION:
                if first_word(text) in {"begin", "start"}:
                    self._commit()
                elif first_word(text) == "savepoint":
                    self._begin()
                self._connection.execute(text.encode())
                self._ours = self._ours and self._in_transaction()
                return None
            self._begin()
            self._connection.execute(f"SAVEPOINT {_SAVEPOINT}")
            try:
                self._connection.execute(text.encode())
            except psycopg.Error as error:
                if self._connection.broken or self._is_copying():
                    return error
                self._connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                if not (self._ours and isinstance(error, _NEEDS_A_COMMIT)):
                    return error
                self._commit()
                self._connection.execute(text.encode())
            else:
                self._connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except psycopg.Error as error:
            return error
        return None

    def _in_transaction(self) -> bool:
        return self._connection.info.transaction_status is not TransactionStatus.IDLE

    def _is_copying(self) -> bool:
        return self._connection.info.transaction_status is TransactionStatus.ACTIVE

    def _begin(self) -> None:
        if not self._in_transaction():
            self._connection.execute("BEGIN")
            self._ours = True

    def _commit(self) -> None:
        if self._ours:
            self._ours = False
            self._connection.execute("COMMIT")

    def _refusal(self, file: SchemaFile, start: int, text: str, error: psycopg.Error) -> CompileError:
        """End the session, in whatever state it is, and describe the error."""
        position = error.diag.statement_position
        extension = surroundings.extension_made_by(text)
        better = self._prepared.failures.get(extension) if extension is not None else None
        message = f"PostgreSQL refuses the schema: {better or _message(error)}"
        advice = _help(error)
        if self._is_copying():
            message, advice = "COPY FROM STDIN has no data to read here", "a schema needs no rows: leave them out (pg_dump --schema-only)."
        elif self._connection.broken:
            message = f"PostgreSQL ended the session at this statement: {_message(error)}"
        self._connection.close()
        return CompileError(
            [Diagnostic(Code.REFUSED_SCHEMA, message, _place(file, start + (int(position) - 1 if position else 0)), help=advice)]
        )


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or (str(error).splitlines() or [type(error).__name__])[0]


def _help(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = f"{error.diag.message_hint} " if error.diag.message_hint else ""
        return f"{hint}The schema runs as a role that owns its database and has no other rights."
    return error.diag.message_hint or "fix the migration; it must apply to an empty database, after the files before it."


def _statements(text: str) -> Iterator[tuple[int, str]]:
    for start, end in pairwise([*(token.start for token in statements(text)), len(text)]):
        yield start, text[start:end]


def _place(file: SchemaFile, offset: int) -> Place:
    whole = QuerySource(file.path, "", 0, "", file.text, 1, ())
    return whole.place_at(_offset_in(file, offset))


def _offset_in(file: SchemaFile, offset: int) -> int:
    """Return the offset in the file, by line and column, since blanked lines are shorter."""
    line = file.sql.count("\n", 0, offset)
    column = offset - (file.sql.rfind("\n", 0, offset) + 1)
    return sum(len(text) + 1 for text in file.text.split("\n")[:line]) + column
