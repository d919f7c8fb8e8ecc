"""What an expression is, looked at by itself: a plain column, a column that is true or false, the items of FROM that it names."""

from __future__ import annotations

from typing import TypeAlias

from sqlwright.prove.rules.nullability import Scope, structure
from sqlwright.prove.tree.enums import BoolExprType, BoolTestType, RTEKind
from sqlwright.prove.tree.nodetree import Node, Tree
from sqlwright.prove.tree.querytree import returning_type

Slot: TypeAlias = tuple[int, int]
"""A column of an item of FROM: (item, attribute)."""


def stripped(node: Node) -> Node:
    """Take away what changes the type or collation of a value but not the value."""
    while node.tag in ("RELABELTYPE", "COLLATEEXPR"):
        node = node.node("arg")
    return node


def plain_column(node: Node) -> Slot | None:
    """Return the column that an expression is, if it is one of its own query level."""
    node = stripped(node)
    if node.tag == "VAR" and not node.number("varlevelsup") and not returning_type(node):
        return node.number("varno"), node.number("varattno")
    return None


def ungrouped(scope: Scope, node: Node) -> Node:
    """Replace a grouped column (PostgreSQL 18) by its expression."""
    column = plain_column(node)
    if column is not None:
        entry = scope.query.entry(column[0])
        if entry.kind is RTEKind.GROUP:
            return entry.node.nodes("groupexprs")[column[1] - 1]
    return node


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


def true_or_false_column(node: Node) -> Slot | None:
    """Return the boolean column that `WHERE active` or `WHERE NOT active` fixes."""
    if node.tag == "BOOLEXPR" and node.text("boolop") == BoolExprType.NOT:
        node = node.nodes("args")[0]
    elif node.tag == "BOOLEANTEST" and node.enum("booltesttype", BoolTestType) in (BoolTestType.IS_TRUE, BoolTestType.IS_FALSE):
        node = node.node("arg")
    return plain_column(node)


def outer_items(tree: Tree) -> set[int]:
    """Return the items of FROM that a part of the query names: for a subquery, those of the level around it."""
    found: set[int] = set()
    stack: list[tuple[Tree, int]] = [(tree, 0)]
    while stack:
        part, level = stack.pop()
        if isinstance(part, list):
            stack.extend((item, level) for item in part)
        elif isinstance(part, Node):
            if part.tag == "VAR" and part.number("varlevelsup") == level:
                found.add(part.number("varno"))
            inner = level + 1 if part.tag == "QUERY" else level
            stack.extend((value, inner) for value in part.fields.values())
    return found
