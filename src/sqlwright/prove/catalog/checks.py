"""CHECK constraints, as far as they say something of every stored row: each is met by a condition that is true or NULL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, LiteralString

import psycopg

from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree, parse

_CHECKS = """
SELECT conrelid::int8, conname, conbin::text FROM pg_constraint k WHERE contype = 'c' AND conrelid <> 0 AND convalidated
"""
_ENFORCED = "AND conenforced"
_FIRST_WITH_NOT_ENFORCED = 18

_ARRAY_POSITION = 3277  # array_position(anycompatiblearray, anycompatible)
_IS_NULL, _IS_NOT_NULL = 0, 1


class Checks:
    """The valid CHECK constraints of a database, taken apart into the conditions that hold together."""

    def __init__(self, connection: psycopg.Connection[Any], major: int) -> None:
        self._connection = connection
        self._text: LiteralString = _CHECKS + (_ENFORCED if major >= _FIRST_WITH_NOT_ENFORCED else "")

    @cached_property
    def _conditions(self) -> dict[int, list[tuple[str, Node]]]:
        found: dict[int, list[tuple[str, Node]]] = defaultdict(list)
        for oid, name, text in self._connection.execute(self._text).fetchall():
            with suppress(*UNREADABLE):
                found[oid] += [(name, condition) for condition in conjuncts(parse(text))]
        return found

    def of(self, relation: int) -> list[tuple[str, Node]]:
        """Return the conditions over Var 1 that no stored row of a table itself makes false, each with its constraint's name."""
        return self._conditions.get(relation, [])

    def columns(self, column_of: Callable[[Node], int]) -> dict[tuple[int, int], str]:
        """Return the columns, by table and attribute number, that a condition is about, each with its constraint's name."""
        found: dict[tuple[int, int], str] = {}
        for oid, conditions in self._conditions.items():
            for name, condition in conditions:
                with suppress(*UNREADABLE):
                    found[oid, column_of(condition)] = name
        return found


def conjuncts(tree: Tree) -> Iterator[Node]:
    """Yield the top-level AND conditions."""
    if not isinstance(tree, Node):
        return
    if tree.tag == "BOOLEXPR" and tree.text("boolop") == "and":
        for part in tree.nodes("args"):
            yield from conjuncts(part)
    else:
        yield tree


def column_not_null(condition: Node) -> int:
    """Return the attribute x of `x IS NOT NULL`, which is never NULL itself; 0 for another condition."""
    return _attribute(condition.node("arg")) if condition.tag == "NULLTEST" and condition.number("nulltesttype") == _IS_NOT_NULL else 0


def column_without_null_elements(condition: Node) -> int:
    """Return the attribute x of `array_position(x, NULL) IS NULL`; 0 for another condition.

    It finds a NULL element wherever it is, and raises an error for an array of several dimensions, so none is stored.
    """
    if condition.tag != "NULLTEST" or condition.number("nulltesttype") != _IS_NULL:
        return 0
    call = condition.node("arg")
    if call.tag != "FUNCEXPR" or call.number("funcid") != _ARRAY_POSITION:
        return 0
    array, wanted = (_uncoerced(argument) for argument in call.nodes("args"))
    return _attribute(array) if wanted.tag == "CONST" and wanted.flag("constisnull") else 0


def _attribute(node: Node) -> int:
    return max(node.number("varattno"), 0) if node.tag == "VAR" else 0


def _uncoerced(node: Node) -> Node:
    """Take away what changes the type or collation of a value, or of all elements of an array, but not the value."""
    while node.tag in ("RELABELTYPE", "COLLATEEXPR") or (node.tag == "ARRAYCOERCEEXPR" and _is_relabelled(node.node("elemexpr"))):
        node = node.node("arg")
    return node


def _is_relabelled(element: Node) -> bool:
    return element.tag == "RELABELTYPE" and element.node("arg").tag == "CASETESTEXPR"
