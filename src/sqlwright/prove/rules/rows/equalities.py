"""Equalities between expressions, and the senses in which their operators see values as equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.expressions import stripped
from sqlwright.prove.tree.nodetree import Node
from sqlwright.prove.tree.rowfacts import NullExtension

Sense: TypeAlias = tuple[int, int]
"""A sense in which values are equal: a btree operator family, and a collation if it is nondeterministic, else 0."""
ANY_SENSE: Sense = (0, 0)
"""The values are the very same."""


@dataclass(frozen=True, slots=True)
class Equality:
    """`left = right`, with the senses of the operator. It holds where none of the null extensions in `guard` happened."""

    left: Node
    right: Node
    senses: frozenset[Sense]
    guard: frozenset[NullExtension]


def both_ways(facts: SchemaFacts, operator: Node, guard: frozenset[NullExtension]) -> list[Equality]:
    """Return the equality that an operator is, from left to right and from right to left; nothing for another operator."""
    collation = operator.number("inputcollid")
    loose = collation if collation in facts.equalities.loose_collations else 0
    senses = frozenset((family, loose) for family in facts.equalities.families(operator.number("opno")))
    left, right = (stripped(argument) for argument in operator.nodes("args"))
    return [Equality(left, right, senses, guard), Equality(right, left, senses, guard)] if senses else []
