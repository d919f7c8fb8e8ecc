"""Types: PREPARE and Describe make PostgreSQL say what each parameter and each result column is, and which table column it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as e
from psycopg import pq

from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.placeholders import placeholder_number

_TYPES = """
SELECT t.oid::int8, n.nspname, t.typname, t.typtype, t.typelem::int8, t.typbasetype::int8,
       e.oid IS NOT NULL AS is_array, pg_type_is_visible(t.oid),
       quote_ident(n.nspname), quote_ident(t.typname), t.typndims
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.typarray = t.oid
"""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a RowDescription message; `table` and `attribute` are 0 where it is not a plain column."""

    name: str
    type: int
    table: int
    attribute: int


@dataclass(frozen=True, slots=True)
class Description:
    """What Describe says of a prepared statement; types are OIDs. In `columns`, domains are already replaced by their base."""

    params: tuple[int, ...]
    columns: tuple[ResultColumn, ...]


class Refused(Exception):
    """The statement is refused. `offset` counts characters from 0, -1 where there is no place.

    `by_postgres`: the message is PostgreSQL's. `sql` is the text that `offset` counts in, where it is not the query's as sqlc has it.
    """

    def __init__(self, message: str, offset: int, hint: str, sqlstate: str, *, by_postgres: bool = True, sql: str = "") -> None:
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
            type_name = fallback_types.get(number, "")
            oid = _resolve_type(connection, type_name) if type_name and not given[number - 1] else None
            if oid is None:
                refused.offset = next((t.start for t in significant(sql) if t.text == f"${number}"), -1)
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
            ResultColumn((described.fname(i) or b"").decode(), described.ftype(i), described.ftable(i), described.ftablecol(i))
            for i in range(described.nfields)
        ),
    )


def _placeholder_meant(sql: str, refused: Refused) -> int:
    """The placeholder that an error speaks of: named in its text (in every language), or standing at its position."""
    named = re.search(r"\$([0-9]+)", refused.message)
    if named:
        return int(named[1])
    placeholders = (token for token in significant(sql) if token.kind is Kind.PLACEHOLDER)
    return next((placeholder_number(token) for token in placeholders if token.start <= refused.offset < token.end), 0)


def _resolve_type(connection: psycopg.Connection[Any], name: str) -> int | None:
    row = connection.execute("SELECT to_regtype(%s)::oid::int8", [name]).fetchone()
    return row[0] if row else None


def _refused(error: psycopg.Error) -> Refused:
    position = int(error.diag.statement_position or 0)
    return Refused(error.diag.message_primary or str(error), position - 1, error.diag.message_hint or "", error.diag.sqlstate or "")


class TypeNames:
    """Names of types by OID, asked of the catalog once for all types."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._rows = {row[0]: row for row in connection.execute(_TYPES).fetchall()}

    def cast_name(self, oid: int) -> str:
        """What to write behind `::` for the type."""
        _, schema, name, _, element, _, is_array, visible, quoted_schema, quoted_name, _ = self._rows[oid]
        if is_array:
            return f"{self.cast_name(element)}[]"
        if schema == "pg_catalog":
            # Unquoted, these two are grammar words for a length of 1, and would cut the value.
            return f'"{name}"' if name in {"bit", "char"} else str(name)
        return str(quoted_name) if visible else f"{quoted_schema}.{quoted_name}"

    def declared_name(self, oid: int) -> str:
        """As `proof_name`, but a domain by its own name."""
        _, _, _, kind, element, _, is_array, _, _, _, _ = self._rows[oid]
        if is_array:
            return f"{self.declared_name(element)}[]"
        return self.cast_name(oid) if kind == "d" else self.proof_name(oid)

    def proof_name(self, oid: int) -> str:
        """The type as proofs write it: a domain as its base type, a built-in type by pg_type's name."""
        _, schema, name, kind, element, base, is_array, _, _, _, dimensions = self._rows[oid]
        if kind == "d":
            return with_dimensions(self.proof_name(base), dimensions)
        # An array of a domain stays one: psycopg does not know its type, though it knows the base type's array.
        if is_array and self._rows[element][3] != "d":
            return f"{self.proof_name(element)}[]"
        return str(name) if schema == "pg_catalog" else self.cast_name(oid)


def with_dimensions(type_name: str, dimensions: int) -> str:
    """Return a type as proofs write it, for an array of at least so many dimensions: `int4[]` of two is `int4[][]`.

    Arrays whose dimensions vary (0) have no type in Python; they are `anyarray`, PostgreSQL's own word for arrays that it knows no more of.
    """
    if type_name.endswith("[]") and not dimensions:
        return "anyarray"
    return type_name + "[]" * (dimensions - type_name.count("[]")) if type_name.endswith("[]") else type_name
