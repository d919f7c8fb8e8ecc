"""The condition of a page: which rows come after a row, in an order of several columns.

For columns that are never NULL and sorted in one direction it is a comparison of rows, `(a, b) > ($1, $2)`. Where the direction changes,
the first part still bounds the range of an index: `a <= $1 AND (a < $1 OR b > $2)`. A NULL is compared by IS NULL, so a condition is that
of a pattern: which values of the row are NULL.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

from sqlwright.sql.lexer import Kind, significant


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of a sort, as SQL writes them: `<`, `<=`, `>=` and `>`, or others of the kind."""

    less: str
    less_or_equal: str
    greater_or_equal: str
    greater: str

    @property
    def plain(self) -> bool:
        """Whether they have their usual names, as comparisons of rows need them."""
        return self == PLAIN


PLAIN = Operators("<", "<=", ">=", ">")


@dataclass(frozen=True, slots=True)
class Key:
    """A column of an order: its expression, and the type that a value is cast to."""

    text: str
    cast: str
    operators: Operators
    descending: bool
    nulls_first: bool
    nullable: bool

    @property
    def backwards(self) -> Key:
        """The same in the opposite order."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def operator(self, *, strict: bool) -> str:
        """Return the operator between the column of a later row and a value; with `strict`, equal ones are not later."""
        found = self.operators
        if self.descending:
            return found.less if strict else found.less_or_equal
        return found.greater if strict else found.greater_or_equal


@dataclass(frozen=True, slots=True)
class Compare:
    """The columns from `first` to before `last` are later than their values, or with the same values too unless `strict`."""

    first: int
    last: int
    strict: bool


@dataclass(frozen=True, slots=True)
class Null:
    """A column is NULL, or it is not."""

    key: int
    present: bool = False


@dataclass(frozen=True, slots=True)
class Both:
    """Both conditions hold."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """One of two conditions holds."""

    left: Condition
    right: Condition


Condition: TypeAlias = Compare | Null | Both | Either


def patterns(keys: tuple[Key, ...]) -> tuple[tuple[int, ...], ...]:
    """Return which columns of a row may be NULL together: each subset of those that may, by index."""
    nullable = [index for index, key in enumerate(keys) if key.nullable]
    return tuple(some for count in range(len(nullable) + 1) for some in combinations(nullable, count))


def later(keys: tuple[Key, ...], nulls: AbstractSet[int], first: int = 0) -> Condition | None:
    """Return the condition of the rows behind a row whose values at `nulls` are NULL; None where there are none.

    Only columns from `first` on count: those before are equal.
    """
    if first == len(keys):
        return None
    key = keys[first]
    if not key.nullable:
        last = _end_of_run(keys, first)
        return _later_or_tied(first, last, later(keys, nulls, last))
    rest = later(keys, nulls, first + 1)
    if first in nulls:
        if key.nulls_first:
            return Either(Null(first, present=True), rest) if rest else Null(first, present=True)
        return Both(Null(first), rest) if rest else None
    found = _later_or_tied(first, first + 1, rest)
    return found if key.nulls_first else Either(found, Null(first))


def _end_of_run(keys: tuple[Key, ...], first: int) -> int:
    """Return the end of the columns that one comparison of rows can compare."""
    key, last = keys[first], first + 1
    while last < len(keys) and key.operators.plain:
        other = keys[last]
        if other.nullable or other.descending != key.descending or not other.operators.plain:
            break
        last += 1
    return last


def _later_or_tied(first: int, last: int, rest: Condition | None) -> Condition:
    strict = Compare(first, last, strict=True)
    return Both(Compare(first, last, strict=False), Either(strict, rest)) if rest else strict


def written(condition: Condition, keys: tuple[Key, ...], number: int) -> str:
    """Return a condition as SQL that AND can follow; the parameters of the values are numbered from `number`."""
    text = _written(condition, keys, number)
    return f"({text})" if isinstance(condition, Either) else text


def _written(condition: Condition, keys: tuple[Key, ...], number: int) -> str:
    match condition:
        case Compare(first=first, last=last, strict=strict):
            operator = keys[first].operator(strict=strict)
            values = [f"${number + index}::{keys[index].cast}" for index in range(first, last)]
            if len(values) == 1:
                return f"{operand(keys[first].text)} {operator} {values[0]}"
            return f"({', '.join(key.text for key in keys[first:last])}) {operator} ({', '.join(values)})"
        case Null(key=index, present=present):
            return f"{operand(keys[index].text)} IS {'NOT ' * present}NULL"
        case Both(left=left, right=right):
            return " AND ".join(_enclosed(part, keys, number, Either) for part in (left, right))
        case Either(left=left, right=right):
            return " OR ".join(_enclosed(part, keys, number, Both) for part in (left, right))


def _enclosed(part: Condition, keys: tuple[Key, ...], number: int, kind: type[Condition]) -> str:
    text = _written(part, keys, number)
    return f"({text})" if isinstance(part, kind) else text


def operand(text: str) -> str:
    """Return an expression in brackets, unless it is a column or a function's call."""
    depth = 0
    for index, token in enumerate(tokens := significant(text)):
        if token.text == ")":
            depth -= 1
            if depth == 0 and index + 1 < len(tokens):
                return f"({text})"
        elif token.text == "(":
            depth += 1
        elif depth == 0 and not (token.kind in {Kind.WORD, Kind.QUOTED_NAME} if index % 2 == 0 else token.text == "."):
            return f"({text})"
    return text
