"""`:copyfrom`: which INSERT is equivalent to a COPY.

Only an INSERT of bare parameters means the same as a COPY. Anything COPY cannot do is refused, with the alternative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlwright import ir
from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.placeholders import placeholder_number

_Item = TypeVar("_Item")

_PLAIN = "write `INSERT INTO table (column, …) VALUES (@parameter, …)`, or use :batchexec."


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a statement cannot be a COPY: a clause of a sentence, the offset in the statement, and the fix."""

    message: str
    offset: int
    help: str


def copied_columns(sql: str) -> ir.CopiedColumns | Unfit:
    """Read `INSERT INTO table (columns) VALUES (parameters)`; refuse anything else."""
    try:
        return _Reader(sql).insert()
    except _Refusal as refusal:
        return refusal.unfit


class _Refusal(Exception):
    def __init__(self, message: str, offset: int, fix: str) -> None:
        super().__init__(message)
        self.unfit = Unfit(message, offset, fix)


class _Reader:
    """Reads the statement from left to right."""

    def __init__(self, sql: str) -> None:
        self._tokens = [*significant(sql), Token(Kind.SPACE, "", len(sql))]
        self._position = 0

    def insert(self) -> ir.CopiedColumns:
        self._expect("insert")
        self._expect("into")
        table = self._name()
        if self._accept("."):
            table = f"{table}.{self._name()}"
        if self._word == "as":
            raise self._refusal("gives its table an alias", "remove the alias.")
        columns = self._in_parentheses(self._name)
        if self._accept("overriding"):
            # COPY always writes the values it receives, as OVERRIDING SYSTEM VALUE does.
            if not self._accept("system"):
                raise self._refusal("has OVERRIDING USER VALUE", "remove it, and the identity column.")
            self._expect("value")
        self._expect("values")
        values = self._in_parentheses(self._param)
        if self._word:
            raise self._refusal()
        return ir.CopiedColumns(table, columns, tuple(number for number, _ in values), tuple(cast for _, cast in values))

    def _in_parentheses(self, read: Callable[[], _Item]) -> tuple[_Item, ...]:
        self._expect("(")
        items = [read()]
        while self._accept(","):
            items.append(read())
        self._expect(")")
        return tuple(items)

    def _param(self) -> tuple[int, str]:
        """Return a parameter's number, and the type it is cast to."""
        if self._here.kind is not Kind.PLACEHOLDER:
            raise self._refusal()
        number = placeholder_number(self._next())
        cast: list[str] = []
        if self._accept("::"):
            depth = 0
            while self._word and (depth or self._word not in {",", ")"}):
                depth += {"(": 1, ")": -1}.get(self._word, 0)
                cast.append(self._next().text)
        return number, " ".join(cast)

    def _name(self) -> str:
        if self._here.kind not in {Kind.WORD, Kind.QUOTED_NAME}:
            raise self._refusal()
        return self._next().text

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._refusal()

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

    def _refusal(self, message: str = "is not a plain INSERT", fix: str = _PLAIN) -> _Refusal:
        return _Refusal(message, self._here.start, fix)
