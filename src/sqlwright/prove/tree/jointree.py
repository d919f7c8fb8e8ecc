"""The join tree: which joins may null-extend an item of FROM, and under which of them each condition holds.

A column of an item is NULL because of the joins only if one of the null extensions on the item's path happened.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlwright.prove.tree.enums import JoinType
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query
from sqlwright.prove.tree.rowfacts import NullExtension, Side


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the query, and the null extensions that must not have happened for it to hold in a row of the result.

    `below` are those that may have happened to the rows that it is evaluated over.
    """

    expression: Node
    guard: frozenset[NullExtension]
    below: frozenset[NullExtension]


@dataclass(frozen=True, slots=True)
class Join:
    """An outer or inner join: its range table number, its type, the items on its two sides and its condition."""

    number: int
    type: JoinType
    left: frozenset[int]
    right: frozenset[int]
    condition: Node | None


class JoinTree:
    """The join tree of one query level: the joins, the conditions, and the null extensions of each item."""

    def __init__(self, query: Query) -> None:
        self.paths: dict[int, tuple[NullExtension, ...]] = {}
        self.joins: dict[int, Join] = {}
        self.conditions: list[Condition] = []
        self.items: list[int] = []
        for item in query.from_items:
            self._visit(item, ())
        if query.where is not None:
            self.conditions.append(Condition(query.where, frozenset(), self._events()))
        if query.result_relation is not None and query.result_relation not in self.paths:
            self.paths[query.result_relation] = ()

    def path(self, item: int) -> tuple[NullExtension, ...]:
        """Return the null extensions of the item. Raises `Unrecognised` for an item that is not in FROM."""
        try:
            return self.paths[item]
        except KeyError:
            raise Unrecognised(f"item {item} is not in FROM") from None

    def _events(self) -> frozenset[NullExtension]:
        return frozenset(event for path in self.paths.values() for event in path)

    def _visit(self, node: Node, path: tuple[NullExtension, ...]) -> frozenset[int]:
        if node.tag == "RANGETBLREF":
            number = node.number("rtindex")
            self.paths[number] = path
            self.items.append(number)
            return frozenset({number})
        if node.tag == "FROMEXPR":
            found = frozenset[int]()
            for item in node.nodes("fromlist"):
                found |= self._visit(item, path)
            condition = node.optional("quals")
            if condition is not None:
                self.conditions.append(Condition(condition, frozenset(path), frozenset()))
            return found
        if node.tag != "JOINEXPR":
            raise Unrecognised(f"{node.tag} in FROM")
        number, kind = node.number("rtindex"), node.enum("jointype", JoinType)
        left_path = (NullExtension(number, Side.LEFT), *path) if kind in (JoinType.RIGHT, JoinType.FULL) else path
        right_path = (NullExtension(number, Side.RIGHT), *path) if kind in (JoinType.LEFT, JoinType.FULL) else path
        left = self._visit(node.node("larg"), left_path)
        right = self._visit(node.node("rarg"), right_path)
        if number:
            self.paths[number] = path
            self.joins[number] = Join(number, kind, left, right, node.optional("quals"))
        elif kind is not JoinType.INNER:
            raise Unrecognised("an outer join without a number")
        condition = node.optional("quals")
        if condition is not None:
            below = frozenset(event for item in left | right for event in self.paths[item]) - frozenset(left_path) - frozenset(right_path)
            self.conditions.append(Condition(condition, frozenset(left_path) | frozenset(right_path), below))
        return left | right
