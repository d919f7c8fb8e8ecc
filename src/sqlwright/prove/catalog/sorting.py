"""The operators by which PostgreSQL sorts, and the comparisons that belong to each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg

from sqlwright.sql.keyset import Operators

_SORTING = """
SELECT s.amopfamily::int8, s.amopstrategy = 5, s.amoplefttype::int8, s.amoprighttype::int8, o.amopstrategy, o.amopopr::int8,
       CASE WHEN pg_operator_is_visible(p.oid) THEN p.oprname::text ELSE format('OPERATOR(%%I.%%s)', n.nspname, p.oprname) END
FROM pg_amop s JOIN pg_am m ON m.oid = s.amopmethod
JOIN pg_amop o ON (o.amopfamily, o.amoplefttype, o.amoprighttype) = (s.amopfamily, s.amoplefttype, s.amoprighttype)
JOIN pg_operator p ON p.oid = o.amopopr JOIN pg_namespace n ON n.oid = p.oprnamespace
WHERE m.amname = 'btree' AND s.amopopr = %s::int8::oid AND s.amopstrategy IN (1, 5) AND s.amoppurpose = 's' AND o.amoppurpose = 's'
"""
# The strategies of a btree: less, less or equal, equal, greater or equal, greater.
_LESS, _LESS_OR_EQUAL, _EQUAL, _GREATER_OR_EQUAL, _GREATER = range(1, 6)


@dataclass(frozen=True, slots=True)
class Sorting:
    """What an operator sorts by: the type that it compares, its btree families, and the comparisons of those by their names in SQL.

    `numbers` are the OIDs of the operators by their names.
    """

    descending: bool
    type: int
    families: frozenset[int]
    operators: Operators
    equal: int
    numbers: dict[str, int]

    @property
    def opposite(self) -> int:
        """The operator that sorts in the opposite direction."""
        return self.numbers[self.operators.less if self.descending else self.operators.greater]

    def strategy(self, operator: int) -> int:
        """Return the strategy of an operator in the families: 1 for less to 5 for greater, 0 for another one."""
        names = (self.operators.less, self.operators.less_or_equal, "", self.operators.greater_or_equal, self.operators.greater)
        return next((number for number, name in enumerate(names, start=1) if name and self.numbers[name] == operator), 0)


def read_sorting(connection: psycopg.Connection[Any], operator: int) -> Sorting | None:
    """Return what an operator sorts by; None where its families do not agree, or compare values of two types."""
    found: dict[int, dict[int, tuple[int, str]]] = defaultdict(dict)
    sides: set[tuple[bool, int, int]] = set()
    for family, descending, left, right, strategy, oid, name in connection.execute(_SORTING, [operator]).fetchall():
        found[family][strategy] = (oid, name)
        sides.add((descending, left, right))
    if len(sides) != 1:
        return None
    ((descending, left, right),) = sides
    first = next(iter(found.values()))
    if left != right or len(first) != _GREATER or any(other != first for other in found.values()):
        return None
    names = Operators(first[_LESS][1], first[_LESS_OR_EQUAL][1], first[_GREATER_OR_EQUAL][1], first[_GREATER][1])
    return Sorting(descending, left, frozenset(found), names, first[_EQUAL][0], {name: oid for oid, name in first.values()})
