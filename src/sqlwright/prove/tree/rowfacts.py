"""Facts about the rows of a query level, and the conclusions from them.

Conditions are kept as clauses, "if none of these null extensions happened, then …", because an ON condition holds only for rows that the
join did not null-extend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, assert_never


class Side(Enum):
    """A side of a join."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class NullExtension:
    """An event: in this row, the join found no partner and filled this side with NULLs."""

    join: int
    side: Side


@dataclass(frozen=True, slots=True)
class ColumnPresent:
    """The column is not NULL unless its item is null-extended; attribute 0 is the row as a whole."""

    item: int
    attribute: int


@dataclass(frozen=True, slots=True)
class RowComplete:
    """No column of the item is NULL."""

    item: int


@dataclass(frozen=True, slots=True)
class JoinMatched:
    """The null extension did not happen."""

    event: NullExtension


@dataclass(frozen=True, slots=True)
class ParameterPresent:
    """The parameter of the statement is not NULL."""

    number: int


@dataclass(frozen=True, slots=True)
class ValuePresent:
    """The expression of this structure is not NULL."""

    structure: object


RowFact: TypeAlias = ColumnPresent | RowComplete | JoinMatched | ParameterPresent | ValuePresent
RowFacts: TypeAlias = frozenset[RowFact]


def is_about_columns_of(fact: RowFact, item: int) -> bool:
    """Return whether a fact speaks of the values in columns of an item."""
    match fact:
        case ColumnPresent(item=owner) | RowComplete(item=owner):
            return owner == item
        case JoinMatched() | ParameterPresent() | ValuePresent():
            return False
        case _:
            assert_never(fact)


def close(clauses: Iterable[tuple[frozenset[NullExtension], RowFacts]]) -> RowFacts:
    """Draw conclusions until nothing new follows: a clause counts once none of its null extensions can have happened."""
    known: set[RowFact] = set()
    pending = list(clauses)
    progress = True
    while progress:
        progress = False
        waiting: list[tuple[frozenset[NullExtension], RowFacts]] = []
        for guard, facts in pending:
            if all(JoinMatched(event) in known for event in guard):
                known |= facts
                progress = True
            else:
                waiting.append((guard, facts))
        pending = waiting
    return frozenset(known)
