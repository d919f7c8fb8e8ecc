"""CHECK constraints that are valid for every stored row. A row satisfies one if its condition is true or NULL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, LiteralString

import psycopg

from sqlwright.prove.tree.enums import BuiltinFunction, NullTestType
from sqlwright.prove.tree.expressions import conjuncts
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree, parse
from sqlwright.prove.tree.querytree import null_test

_CHECKS = """
SELECT conrelid::int8, conname, conbin::text FROM pg_constraint k WHERE contype = 'c' AND conrelid <> 0 AND convalidated
"""
_ENFORCED = "AND conenforced"
_FIRST_WITH_NOT_ENFORCED = 18


class Checks:
    """The valid CHECK constraints of a database, split into the conditions that AND joins."""

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

    def columns(self, column_of: Callable[[Node], int | None]) -> dict[tuple[int, int], str]:
        """Return the columns, by table and attribute number, that `column_of` finds in a condition, each with its constraint's name."""
        found: dict[tuple[int, int], str] = {}
        for oid, conditions in self._conditions.items():
            for name, condition in conditions:
                with suppress(*UNREADABLE):
                    number = column_of(condition)
                    if number is not None:
                        found[oid, number] = name
        return found


def column_not_null(condition: Node) -> int | None:
    """Return the attribute x of `x IS NOT NULL`, which is never NULL itself; None for another condition."""
    return _attribute(condition.node("arg")) if null_test(condition) is NullTestType.IS_NOT_NULL else None


def refuses_null(check: Tree) -> bool:
    """Return whether the CHECK of a domain has the condition `VALUE IS NOT NULL`."""
    return any(
        null_test(condition) is NullTestType.IS_NOT_NULL and condition.node("arg").tag == "COERCETODOMAINVALUE"
        for condition in conjuncts(check)
    )


def column_without_null_elements(condition: Node) -> int | None:
    """Return the attribute x of `array_position(x, NULL) IS NULL`; None for another condition.

    It finds a NULL element wherever it is, and raises an error for an array of several dimensions, so none is stored.
    """
    if null_test(condition) is not NullTestType.IS_NULL:
        return None
    call = condition.node("arg")
    if call.tag != "FUNCEXPR" or call.number("funcid") != BuiltinFunction.ARRAY_POSITION:
        return None
    array, wanted = (_uncoerced(argument) for argument in call.nodes("args"))
    return _attribute(array) if wanted.tag == "CONST" and wanted.flag("constisnull") else None


def _attribute(node: Node) -> int | None:
    """Return the number of the column that an expression is; system columns and whole rows count as none."""
    number = node.number("varattno") if node.tag == "VAR" else 0
    return number if number > 0 else None


def _uncoerced(node: Node) -> Node:
    """Return an expression without what changes only the type or collation of a value or of array elements."""
    while node.tag in ("RELABELTYPE", "COLLATEEXPR") or (node.tag == "ARRAYCOERCEEXPR" and _is_relabelled(node.node("elemexpr"))):
        node = node.node("arg")
    return node


def _is_relabelled(element: Node) -> bool:
    return element.tag == "RELABELTYPE" and element.node("arg").tag == "CASETESTEXPR"
