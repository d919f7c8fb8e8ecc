"""Comparable values of the conditions of pages: which rows PostgreSQL reads a condition to accept, and which are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlwright.prove.catalog.sorting import Sorting
from sqlwright.prove.tree.enums import BoolExprType, NullTestType
from sqlwright.prove.tree.expressions import conjuncts, is_parameter, location, stripped, structure
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query, null_test
from sqlwright.sql.keyset import Both, Compare, Condition, Either, Key, Null

_COLLATIONS = {
    "CASEEXPR": "casecollid",
    "COALESCEEXPR": "coalescecollid",
    "COERCETODOMAIN": "resultcollid",
    "COERCEVIAIO": "resultcollid",
    "COLLATEEXPR": "collOid",
    "CONST": "constcollid",
    "FIELDSELECT": "resultcollid",
    "FUNCEXPR": "funccollid",
    "MINMAXEXPR": "minmaxcollid",
    "NULLIFEXPR": "opcollid",
    "OPEXPR": "opcollid",
    "PARAM": "paramcollid",
    "RELABELTYPE": "resultcollid",
    "SUBSCRIPTINGREF": "refcollid",
    "VAR": "varcollid",
}
"""The fields that hold the collation of a node's value. That of a node's input may be another one."""
_BOOLEANS = frozenset({"BOOLEANTEST", "BOOLEXPR", "DISTINCTEXPR", "NULLTEST", "SCALARARRAYOPEXPR"})


class RowCompareType(IntEnum):
    """What a comparison of rows finds: the strategies of a btree."""

    LT = 1
    LE = 2
    GE = 4
    GT = 5


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A column that a query sorts by: its expression in the query tree, its collation, and the operators of its sort."""

    expression: Node
    collation: int
    sorting: Sorting


@dataclass(frozen=True, slots=True)
class _Joined:
    """The values of conditions that AND or OR joins."""

    word: str
    parts: tuple[object, ...]


def collation_of(node: Node) -> int:
    """Return the OID of the collation of an expression's value, 0 for a type without collations.

    Raises:
        Unrecognised: the expression is of a kind whose collation is not known here.
    """
    if node.tag in _BOOLEANS:
        return 0
    if node.tag not in _COLLATIONS:
        raise Unrecognised(f"the collation of {node.tag}")
    return node.number(_COLLATIONS[node.tag])


def conditions_between(tree: Node, start: int, end: int) -> list[Node]:
    """Return the conditions of a query's WHERE that begin between two places, in bytes."""
    places = [(condition, location(condition)) for condition in conjuncts(Query(tree).where)]
    return [condition for condition, place in places if place is not None and start <= place < end]


def meant(condition: Condition, keys: Sequence[Key], columns: Sequence[SortColumn], params: Mapping[int, int]) -> object:
    """Return the value of a condition as it is meant; `params` are the numbers of the parameters of the values, by index."""
    match condition:
        case Compare(first=first, last=last, strict=strict):
            spelled = [key.operator(strict=strict) for key in keys[first:last]]
            compared = tuple(
                (column.sorting.numbers[operator], column.collation, structure(stripped(column.expression)), params[index])
                for index, (operator, column) in enumerate(zip(spelled, columns[first:last], strict=True), start=first)
            )
            return "compare", compared
        case Null(key=index, present=present):
            wanted = NullTestType.IS_NOT_NULL if present else NullTestType.IS_NULL
            return "null", wanted, structure(stripped(columns[index].expression))
        case Both(left=left, right=right) | Either(left=left, right=right):
            word = "and" if isinstance(condition, Both) else "or"
            return _joined(word, [meant(part, keys, columns, params) for part in (left, right)])


def read(nodes: Sequence[Node], columns: Sequence[SortColumn]) -> object:
    """Return the value of the conditions that AND joins, as PostgreSQL reads them.

    Raises:
        Unrecognised: one of them is no condition of a page.
    """
    found = [_read(node, columns) for node in nodes]
    return found[0] if len(found) == 1 else _joined("and", found)


def _joined(word: str, parts: Sequence[object]) -> _Joined:
    """Return what AND or OR joins, whatever brackets are among them."""
    flat: list[object] = []
    for part in parts:
        flat += part.parts if isinstance(part, _Joined) and part.word == word else [part]
    return _Joined(word, tuple(flat))


def _read(node: Node, columns: Sequence[SortColumn]) -> object:
    test = null_test(node)
    if test is not None:
        return "null", test, structure(stripped(node.node("arg")))
    match node.tag:
        case "BOOLEXPR" if node.text("boolop") in {BoolExprType.AND, BoolExprType.OR}:
            word = "and" if node.text("boolop") == BoolExprType.AND else "or"
            return _joined(word, [_read(part, columns) for part in node.nodes("args")])
        case "OPEXPR":
            left, right = node.nodes("args")
            return "compare", ((node.number("opno"), node.number("inputcollid"), structure(stripped(left)), _number(right)),)
        case "ROWCOMPAREEXPR":
            return "compare", tuple(_rows(node, columns))
        case tag:
            raise Unrecognised(f"{tag} in the condition of a page")


def _rows(node: Node, columns: Sequence[SortColumn]) -> list[tuple[int, int, object, int]]:
    """Return what a comparison of rows compares, if it is by the operators and families of the sort in one direction."""
    sides = zip(
        node.numbers("opnos"),
        node.numbers("opfamilies"),
        node.numbers("inputcollids"),
        node.nodes("largs"),
        node.nodes("rargs"),
        strict=True,
    )
    kind = node.enum("rctype" if "rctype" in node.fields else "cmptype", RowCompareType)
    found: list[tuple[int, int, object, int]] = []
    for operator, family, collation, left, right in sides:
        own = structure(stripped(left))
        column = next((each for each in columns if structure(stripped(each.expression)) == own), None)
        if column is None or family not in column.sorting.families or column.sorting.strategy(operator) != kind:
            raise Unrecognised("a comparison of rows by other operators than those of the sort")
        found.append((operator, collation, own, _number(right)))
    return found


def _number(node: Node) -> int:
    """Return the number of the parameter that a value is."""
    node = stripped(node)
    if not is_parameter(node):
        raise Unrecognised(f"{node.tag} for a value of a cursor")
    return node.number("paramid")
