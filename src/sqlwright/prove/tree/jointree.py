"""What the join tree says: which joins may null-extend an item of FROM, and what is known of every row that comes out.

An *event* `(join, side)` is "in this row, the join found no partner and filled that side with NULLs". A column of an item is NULL because
of the joins only if one of the events on the item's path happened. What conditions tell is kept as clauses "if none of these events
happened, then …", because an ON condition holds only for rows that the join did not null-extend; `close` draws the conclusions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.prove.tree.enums import JoinType
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query

LEFT_SIDE, RIGHT_SIDE = "left", "right"

Event: TypeAlias = tuple[int, str]
Finding: TypeAlias = tuple[str, object, object]
"""What is known of a row. ("slot", item, attribute): the column is not NULL unless its item is null-extended; attribute 0 is the row.
("fields", item, 0): no column of the item is NULL. ("event", join, side): that event did not happen. ("param", number, 0): the parameter
is not NULL. ("value", structure, 0): the expression of that structure is not NULL."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the query, and the events that must not have happened for it to hold in a row of the result."""

    expression: Node
    guard: frozenset[Event]
    below: frozenset[Event]


@dataclass(frozen=True, slots=True)
class Join:
    """An outer or inner join: its range table number, its type, the items on its two sides and its condition."""

    number: int
    type: JoinType
    left: frozenset[int]
    right: frozenset[int]
    condition: Node | None


class JoinTree:
    """The join tree of one query level, taken apart."""

    def __init__(self, query: Query) -> None:
        self.paths: dict[int, tuple[Event, ...]] = {}
        self.joins: dict[int, Join] = {}
        self.conditions: list[Condition] = []
        self.items: list[int] = []
        for item in query.from_items:
            self._visit(item, ())
        if query.where is not None:
            self.conditions.append(Condition(query.where, frozenset(), self._events()))
        if query.result_relation is not None and query.result_relation not in self.paths:
            self.paths[query.result_relation] = ()

    def path(self, item: int) -> tuple[Event, ...]:
        """Return the events that fill the item with NULLs. Raises `Unrecognised` for an item that is not in FROM."""
        try:
            return self.paths[item]
        except KeyError:
            raise Unrecognised(f"item {item} is not in FROM") from None

    def _events(self) -> frozenset[Event]:
        return frozenset(event for path in self.paths.values() for event in path)

    def _visit(self, node: Node, path: tuple[Event, ...]) -> frozenset[int]:
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
        left_path = ((number, LEFT_SIDE), *path) if kind in (JoinType.RIGHT, JoinType.FULL) else path
        right_path = ((number, RIGHT_SIDE), *path) if kind in (JoinType.LEFT, JoinType.FULL) else path
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


def close(facts: Iterable[Finding], clauses: Iterable[tuple[frozenset[Event], frozenset[Finding]]]) -> frozenset[Finding]:
    """Draw conclusions until nothing new comes: a clause counts once all its events are known not to have happened."""
    known = set(facts)
    pending = list(clauses)
    progress = True
    while progress:
        progress = False
        waiting: list[tuple[frozenset[Event], frozenset[Finding]]] = []
        for guard, findings in pending:
            if all(("event", join, side) in known for join, side in guard):
                known |= findings
                progress = True
            else:
                waiting.append((guard, findings))
        pending = waiting
    return frozenset(known)
