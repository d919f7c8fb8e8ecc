"""`:copyfrom`: from the INSERT that the query is to the COPY that is sent.

Only an INSERT of bare parameters means the same as a COPY. What COPY cannot do is refused, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlwright import ir
from sqlwright.lexer import Kind, Token, significant
from sqlwright.placeholders import placeholder_number

# Types that psycopg dumps in PostgreSQL's binary format when it is told the type alone, by their names in pg_type; the same for their
# arrays. A test copies values of each.
_BINARY = frozenset(
    {
        "bool",
        "bytea",
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "json",
        "jsonb",
        "numeric",
        "oid",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "uuid",
        "varchar",
    }
)
_NOT_PLAIN = "is no plain INSERT"
_PLAIN = "write `INSERT INTO table (column, …) VALUES (@parameter, …)`, or use :batchexec."


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a statement cannot be a COPY: a clause of a sentence, where in the statement (counted from 0), and the cure."""

    message: str
    offset: int
    help: str


def copied_columns(sql: str) -> ir.CopiedColumns | Unfit:
    """Read `INSERT INTO table (columns) VALUES (parameters)`; anything else is unfit."""
    try:
        return _Reader(sql).insert()
    except _Refusal as refusal:
        return refusal.unfit


def copy_sql(copied: ir.CopiedColumns, *, binary: bool) -> str:
    """Give the COPY statement."""
    return f"COPY {copied.table} ({', '.join(copied.columns)}) FROM STDIN{' (FORMAT BINARY)' if binary else ''}"


def binary_types(types: Sequence[ir.Type]) -> tuple[str, ...]:
    """Give psycopg's names of the types in the binary format, or nothing if one of them has none: the format is one for all columns."""
    names = tuple(_binary_type(found.value if isinstance(found, ir.Nullable) else found) for found in types)
    return names if all(names) else ()


def _binary_type(found: ir.ValueType) -> str:
    match found:
        case ir.EnumRef():
            # An enum and a padded string travel as their text in the binary format too.
            return "text"
        case ir.Scalar(postgres="bpchar"):
            return "text"
        case ir.Scalar(postgres=name) | ir.Json(postgres=name) if name in _BINARY:
            return name
        case ir.ListOf(element=element):
            inner = element.value if isinstance(element, ir.Nullable) else element
            return f"{inner.postgres}[]" if isinstance(inner, ir.Scalar | ir.Json) and inner.postgres in _BINARY else ""
        case _:
            return ""


class _Refusal(Exception):
    def __init__(self, message: str, offset: int, cure: str) -> None:
        super().__init__(message)
        self.unfit = Unfit(message, offset, cure)


class _Reader:
    """Reads the statement from left to right."""

    def __init__(self, sql: str) -> None:
        self._tokens = [*significant(sql), Token(Kind.SPACE, "", len(sql))]
        self._position = 0

    def insert(self) -> ir.CopiedColumns:
        self._expect("insert", "is no INSERT", "use :exec or :batchexec.")
        self._expect("into", "is no INSERT", "use :exec or :batchexec.")
        table = self._name()
        if self._accept("."):
            table = f"{table}.{self._name()}"
        if self._here.kind is Kind.WORD and self._word == "as":
            raise self._refusal("names its table otherwise", "remove the alias.")
        self._expect("(", "does not name its columns", "write them behind the table: `INSERT INTO table (column, …) VALUES …`.")
        columns = [self._column()]
        while self._accept(","):
            columns.append(self._column())
        self._expect(")", _NOT_PLAIN, _PLAIN)
        if self._accept("overriding"):
            # COPY always writes what it is given, as OVERRIDING SYSTEM VALUE does.
            self._expect("system", "has OVERRIDING USER VALUE", "remove it, and the identity column.")
            self._expect("value", _NOT_PLAIN, _PLAIN)
        self._expect("values", "inserts no VALUES", "use :exec.")
        self._expect("(", _NOT_PLAIN, _PLAIN)
        params = [self._param()]
        while self._accept(","):
            params.append(self._param())
        self._expect(")", "computes a value", "pass the value as a parameter of its own, without a cast, or use :batchexec.")
        self._end()
        return ir.CopiedColumns(table, tuple(columns), tuple(params))

    def _end(self) -> None:
        refused = {
            ",": ("has several rows of VALUES", "keep one: the function takes any number of rows."),
            "on": ("has ON CONFLICT, which COPY does not know", "remove it, or use :batchexec."),
            "returning": ("has RETURNING, and COPY returns nothing", "remove it, or use :batchone."),
        }
        self._accept(";")
        if self._word:
            raise self._refusal(*refused.get(self._word, (_NOT_PLAIN, _PLAIN)))

    def _column(self) -> str:
        name = self._name()
        if self._word not in {",", ")"}:
            raise self._refusal("writes to a part of a column", "name whole columns, or use :batchexec.")
        return name

    def _param(self) -> int:
        if self._word == "default":
            raise self._refusal("has a DEFAULT", "leave the column out: COPY writes its default then.")
        if self._here.kind is not Kind.PLACEHOLDER:
            raise self._refusal(
                "has a value that is no parameter", "pass it as a parameter, leave the column to its default, or use :batchexec."
            )
        number = placeholder_number(self._next())
        if self._word == "::":
            raise self._refusal("casts a parameter", "remove the cast: a parameter has the type of its column.")
        return number

    def _name(self) -> str:
        if self._here.kind not in {Kind.WORD, Kind.QUOTED_NAME}:
            raise self._refusal(_NOT_PLAIN, _PLAIN)
        return self._next().text

    def _expect(self, word: str, message: str, cure: str) -> None:
        if not self._accept(word):
            raise self._refusal(message, cure)

    def _accept(self, word: str) -> bool:
        accepted = self._word == word
        if accepted:
            self._next()
        return accepted

    @property
    def _here(self) -> Token:
        return self._tokens[self._position]

    @property
    def _word(self) -> str:
        return self._here.text.lower()

    def _next(self) -> Token:
        token = self._here
        self._position += 1
        return token

    def _refusal(self, message: str, cure: str) -> _Refusal:
        return _Refusal(message, self._here.start, cure)
