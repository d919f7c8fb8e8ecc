"""Properties of an expression by itself: its place in the text, the columns that it names, its structure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from sqlwright.prove.tree.enums import BoolExprType, BoolTestType, BuiltinFunction, ParamKind, RTEKind
from sqlwright.prove.tree.nodetree import Node, Tree, nodes_in, walk
from sqlwright.prove.tree.querytree import Query, returning_type

Slot: TypeAlias = tuple[int, int]
"""A column of an item of FROM: (item, attribute)."""

# Fields that differ between two mentions of the same expression.
_PLACES = frozenset(
    {
        "location",
        "varnosyn",
        "varattnosyn",
        "varnullingrels",
        "resname",
        "funcformat",
        "coercionformat",
        "relabelformat",
        "aggno",
        "aggtransno",
    }
)


def location(node: Node) -> int | None:
    """Return the byte offset of an expression in the statement, or of the first expression in it that has one."""
    own = node.fields.get("location")
    if isinstance(own, str) and own.isdigit():
        return int(own)
    for value in node.fields.values():
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, Node) and (found := location(part)) is not None:
                return found
    return None


def is_parameter(node: Node) -> bool:
    """Return whether a node is a parameter of the statement."""
    return node.tag == "PARAM" and node.enum("paramkind", ParamKind) is ParamKind.EXTERN


def returns_rows(node: Node) -> bool:
    """Return whether a node calls a function or an operator that returns a set."""
    return (node.tag == "FUNCEXPR" and node.flag("funcretset")) or (node.tag == "OPEXPR" and node.flag("opretset"))


def conjuncts(tree: Tree) -> Iterator[Node]:
    """Yield the conditions that AND joins at the top, at any depth of AND."""
    if not isinstance(tree, Node):
        return
    if tree.tag == "BOOLEXPR" and tree.text("boolop") == BoolExprType.AND:
        for part in tree.nodes("args"):
            yield from conjuncts(part)
    else:
        yield tree


def structure(tree: Tree) -> object:
    """Return a hashable value that is equal for expressions that are the same but for their place in the text."""
    if isinstance(tree, Node):
        # Most fields are words.
        return tree.tag, *[
            (name, value if isinstance(value, str) else structure(value)) for name, value in tree.fields.items() if name not in _PLACES
        ]
    if isinstance(tree, list):
        return tuple([structure(item) for item in tree])
    return tree


def structure_for(node: Node, item: int) -> object:
    """Return the structure of an expression over Var 1, as indexes store them, as if it were over an item of the query."""
    return structure(_renumbered(node, item))


def _renumbered(tree: Tree, item: int) -> Tree:
    if isinstance(tree, Node):
        fields = {name: _renumbered(value, item) for name, value in tree.fields.items()}
        if tree.tag == "VAR":
            fields["varno"] = str(item)
        return Node(tree.tag, fields)
    if isinstance(tree, list):
        return [_renumbered(part, item) for part in tree]
    return tree


def column_of(item: int, attribute: int) -> Node:
    """Return the expression for a column of an item of FROM that the text does not name itself."""
    return Node("VAR", {"varno": str(item), "varattno": str(attribute), "varlevelsup": "0", "location": "-1"})


def stripped(node: Node) -> Node:
    """Return an expression without what changes the type or collation of a value but not the value."""
    while node.tag in ("RELABELTYPE", "COLLATEEXPR"):
        node = node.node("arg")
    return node


def plain_column(node: Node) -> Slot | None:
    """Return the column that an expression is, if it is one of its own query level."""
    node = stripped(node)
    if node.tag == "VAR" and not node.number("varlevelsup") and not returning_type(node):
        return node.number("varno"), node.number("varattno")
    return None


def true_or_false_column(node: Node) -> tuple[Slot, bool] | None:
    """Return the boolean column that a condition fixes, and its value: `active`, `NOT active`, `active IS TRUE`, `active = false`."""
    value = True
    if node.tag == "BOOLEXPR" and node.text("boolop") == BoolExprType.NOT:
        node, value = node.nodes("args")[0], False
    elif node.tag == "BOOLEANTEST" and (test := node.enum("booltesttype", BoolTestType)) in (BoolTestType.IS_TRUE, BoolTestType.IS_FALSE):
        node, value = node.node("arg"), test is BoolTestType.IS_TRUE
    elif node.tag == "OPEXPR" and node.number("opfuncid") == BuiltinFunction.BOOL_EQUAL:
        left, right = node.nodes("args")
        left, right = (right, left) if left.tag == "CONST" else (left, right)
        datum = right.raw("constvalue") if right.tag == "CONST" and not right.flag("constisnull") else None
        if not isinstance(datum, list):
            return None
        node, value = left, "1" in datum[1:]
    column = plain_column(node)
    return None if column is None else (column, value)


def ungrouped(query: Query, node: Node) -> Node:
    """Return the expression that a grouped column is of, looking through what keeps its value; any other expression as it is."""
    column = plain_column(node)
    if column is not None:
        entry = query.entry(column[0])
        if entry.kind is RTEKind.GROUP:
            return entry.node.nodes("groupexprs")[column[1] - 1]
    return node


def column_below_grouping(query: Query, expression: Node) -> Node:
    """Return the expression that a column is of, if it is a grouped column of PostgreSQL 18; any other expression as it is."""
    if expression.tag != "VAR" or expression.number("varlevelsup"):
        return expression
    entry = query.entry(expression.number("varno"))
    return entry.node.nodes("groupexprs")[expression.number("varattno") - 1] if entry.kind is RTEKind.GROUP else expression


def columns_of(tree: Tree) -> set[Slot]:
    """Return the columns of its own query level that an expression names."""
    return {(node.number("varno"), node.number("varattno")) for node in walk(tree) if node.tag == "VAR" and not node.number("varlevelsup")}


def outer_items(tree: Tree) -> set[int]:
    """Return the items of FROM that a part of the query names: for a subquery, those of the level around it."""
    found: set[int] = set()
    stack = [(node, 0) for node in nodes_in([tree])]
    while stack:
        node, level = stack.pop()
        if node.tag == "VAR" and node.number("varlevelsup") == level:
            found.add(node.number("varno"))
        inner = level + 1 if node.tag == "QUERY" else level
        stack += [(part, inner) for part in node.held]
    return found
