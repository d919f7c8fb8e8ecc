"""Types: PREPARE and Describe make PostgreSQL say what each parameter and each result column is, and which table column it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as e
from psycopg import pq
from psycopg.rows import args_row

from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.placeholders import placeholder_number

_TYPE = """
SELECT t.oid::int8, n.nspname, t.typname, t.typtype, t.typelem::int8, t.typbasetype::int8,
       e.oid IS NOT NULL AS is_array, pg_type_is_visible(t.oid),
       quote_ident(n.nspname), quote_ident(t.typname), t.typndims
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
WHERE t.oid = %s::int8::oid
"""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a RowDescription message; `origin` is the OID and the attribute number of the table column that it is, if it is one."""

    name: str
    type: int
    origin: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Description:
    """The description of a prepared statement; types are OIDs. In `columns`, domains are already replaced by their base."""

    params: tuple[int, ...]
    columns: tuple[ResultColumn, ...]


class Refused(Exception):
    """The statement is refused. `offset` is the character that the message is about, if there is one.

    `by_postgres`: the message is PostgreSQL's. `sql` is the text that `offset` counts in, where it is not the query's as sqlc has it.
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
        by_postgres: bool = True,
        sql: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
        self.sqlstate = sqlstate
        self.by_postgres = by_postgres
        self.sql = sql


def describe(connection: psycopg.Connection[Any], sql: str, fallback_types: Mapping[int, str]) -> Description:
    """Prepare a statement and describe it, inside the caller's transaction.

    Where PostgreSQL cannot infer a parameter's type (`$1 IS NULL OR x > $1`), it is asked again with the type in `fallback_types`,
    which are sqlc's, by placeholder number.

    Raises:
        Refused: PostgreSQL does not accept the statement.
    """
    count = max((placeholder_number(t) for t in significant(sql) if t.kind is Kind.PLACEHOLDER), default=0)
    given = [0] * count
    while True:
        try:
            return _describe(connection.pgconn, sql, given)
        except (e.IndeterminateDatatype, e.AmbiguousParameter) as error:
            refused = _refused(error)
            number = _placeholder_meant(sql, refused)
            type_name = fallback_types.get(number) if number is not None else None
            oid = _resolve_type(connection, type_name) if number is not None and type_name and not given[number - 1] else None
            if number is None or oid is None:
                refused.offset = next((t.start for t in significant(sql) if t.text == f"${number}"), None)
                raise refused from error
            given[number - 1] = oid
        except psycopg.Error as error:
            raise _refused(error) from error


def _describe(pgconn: pq.abc.PGconn, sql: str, types: Sequence[int]) -> Description:
    # The unnamed statement: nothing to clean up, and a savepoint of the caller's undoes a failure.
    text = sql.encode()
    pgconn.exec_(b"SAVEPOINT sqlwright_describe")
    for result in (pgconn.prepare(b"", text, types), pgconn.describe_prepared(b"")):
        if result.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            error = e.error_from_result(result, encoding="utf-8")
            pgconn.exec_(b"ROLLBACK TO SAVEPOINT sqlwright_describe")
            raise error
        described = result
    pgconn.exec_(b"RELEASE SAVEPOINT sqlwright_describe")
    return Description(
        tuple(described.param_type(i) for i in range(described.nparams)),
        tuple(
            ResultColumn((described.fname(i) or b"").decode(), described.ftype(i), _origin(described, i)) for i in range(described.nfields)
        ),
    )


def _origin(described: pq.abc.PGresult, column: int) -> tuple[int, int] | None:
    table = described.ftable(column)
    return (table, described.ftablecol(column)) if table else None


def _placeholder_meant(sql: str, refused: Refused) -> int | None:
    """Return the placeholder that an error speaks of: named in its text (in every language), or at its position."""
    named = re.search(r"\$([0-9]+)", refused.message)
    if named:
        return int(named[1])
    token = token_at(significant(sql), refused.offset)
    return placeholder_number(token) if token is not None and token.kind is Kind.PLACEHOLDER else None


def token_at(tokens: Sequence[Token], offset: int | None) -> Token | None:
    """Return the token that a character belongs to."""
    return next((token for token in tokens if token.start <= offset < token.end), None) if offset is not None else None


def _resolve_type(connection: psycopg.Connection[Any], name: str) -> int | None:
    row = connection.execute("SELECT to_regtype(%s)::oid::int8", [name]).fetchone()
    return row[0] if row else None


def _refused(error: psycopg.Error) -> Refused:
    position = error.diag.statement_position
    return Refused(
        error.diag.message_primary or str(error),
        offset=int(position) - 1 if position else None,
        hint=error.diag.message_hint,
        sqlstate=error.diag.sqlstate,
    )


@dataclass(frozen=True, slots=True)
class _Type:
    """A row of `_TYPE`; `quoted_schema` and `quoted_name` are as identifiers are written."""

    oid: int
    schema: str
    name: str
    kind: str
    element: int
    base: int
    is_array: bool
    visible: bool
    quoted_schema: str
    quoted_name: str
    dimensions: int


class TypeNames:
    """Names of types by OID, each read from the catalogue once."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._types: dict[int, _Type] = {}

    def _type(self, oid: int) -> _Type:
        if oid not in self._types:
            row = self._connection.cursor(row_factory=args_row(_Type)).execute(_TYPE, (oid,)).fetchone()
            if row is None:
                raise KeyError(oid)
            self._types[oid] = row
        return self._types[oid]

    def cast_name(self, oid: int) -> str:
        """Return the type as it is written after `::`."""
        found = self._type(oid)
        if found.is_array:
            return f"{self.cast_name(found.element)}[]"
        if found.schema == "pg_catalog":
            # Unquoted, these two are grammar words for a length of 1, and would cut the value.
            return f'"{found.name}"' if found.name in {"bit", "char"} else found.name
        return found.quoted_name if found.visible else f"{found.quoted_schema}.{found.quoted_name}"

    def declared_name(self, oid: int) -> str:
        """Return the same as `proof_name`, but a domain by its own name."""
        found = self._type(oid)
        if found.is_array:
            return f"{self.declared_name(found.element)}[]"
        return self.cast_name(oid) if found.kind == "d" else self.proof_name(oid)

    def proof_name(self, oid: int) -> str:
        """Return the type as proofs write it: a domain as its base type, a built-in type by pg_type's name."""
        found = self._type(oid)
        if found.kind == "d":
            return with_dimensions(self.proof_name(found.base), max(found.dimensions, 1))
        # An array of a domain stays one: psycopg does not know its type, though it knows the base type's array.
        if found.is_array and self._type(found.element).kind != "d":
            return f"{self.proof_name(found.element)}[]"
        return found.name if found.schema == "pg_catalog" else self.cast_name(oid)


def with_dimensions(type_name: str, dimensions: int) -> str:
    """Return a type as proofs write it, for an array of at least so many dimensions: `int4[]` of two is `int4[][]`.

    Arrays whose dimensions vary (0) have no type in Python; they are `anyarray`, PostgreSQL's own word for arrays that it knows no more of.
    """
    if type_name.endswith("[]") and not dimensions:
        return "anyarray"
    return type_name + "[]" * (dimensions - type_name.count("[]")) if type_name.endswith("[]") else type_name
