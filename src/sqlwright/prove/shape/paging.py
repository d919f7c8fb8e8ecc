"""What the tree of a query says about its pages: whether it can have any, and the column that holds the keys of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.tree.enums import BuiltinType, CmdType, LimitOption
from sqlwright.prove.tree.expressions import structure
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, TargetEntry
from sqlwright.sql.refused_variants import NO_LIMIT, NOT_A_SELECT, PAGE_ON

_INTO_FROM = "put it into a subquery in FROM: `SELECT … FROM (…) AS name ORDER BY … LIMIT @page_size`."
_SHOWS = ("COERCEVIAIO", "RELABELTYPE")
_LOCKS = "lock the rows of a page by their keys, in a statement of its own."


class Refusal(NamedTuple):
    """Why a statement can have no pages, how to write it instead, and the first word of the clause to look at, if it is one."""

    problem: str
    cure: str
    clause: str | None = None


def refusal_of(tree: Node) -> Refusal | None:
    """Return why a statement can have no pages; None if it can."""
    query = Query(tree)
    if query.command is not CmdType.SELECT:
        return Refusal(f"{PAGE_ON} {NOT_A_SELECT[0]}", NOT_A_SELECT[1])
    if tree.has("limitOffset"):
        return Refusal("@page on a statement that has OFFSET", "remove it: the cursor says where a page begins.", "offset")
    for found, what, cure in (
        (query.set_operations is not None, "combines queries with UNION, INTERSECT or EXCEPT", _INTO_FROM),
        (query.groups, "groups rows or has aggregates", _INTO_FROM),
        (tree.has("distinctClause"), "has DISTINCT", _INTO_FROM),
        (tree.flag("hasWindowFuncs") or tree.has("windowClause"), "has window functions", _INTO_FROM),
        (tree.flag("hasTargetSRFs"), "has a function that returns rows in its list of columns", _INTO_FROM),
        (tree.flag("hasModifyingCTE"), "writes in a WITH item", "write in a statement of its own."),
        (any(node.tag == "QUERY" and node.has("rowMarks") for node in walk(tree)), "locks rows, also the one after the page", _LOCKS),
        (not query.outputs, "returns no column", "return what the rows are sorted by."),
        (not tree.has("limitCount"), *NO_LIMIT),
        (tree.has("limitCount") and tree.enum("limitOption", LimitOption) is LimitOption.WITH_TIES, "has WITH TIES", "remove it."),
        (not tree.has("sortClause"), "has no ORDER BY", "write the order there, with a unique column at the end."),
    ):
        if found:
            return Refusal(f"{PAGE_ON} {what}", cure)
    return None


def without_keys(tree: Node) -> Node:
    """Return the tree of a page's statement without the column of keys, which is the last one that it returns."""
    keys = Query(tree).outputs[-1].number
    targets: list[Tree] = [_renumbered(target, keys) for target in Query(tree).targets if target.number != keys]
    return Node(tree.tag, {**tree.fields, "targetList": targets})


def _renumbered(target: TargetEntry, keys: int) -> Node:
    number = target.number - 1 if target.number > keys else target.number
    return Node(target.node.tag, {**target.node.fields, "resno": str(number)})


def keyed_by(tree: Node, expressions: Sequence[Node]) -> bool:
    """Return whether the last column that a statement returns is the text of a JSON array of the expressions.

    Calls of PostgreSQL's own functions may be around them, such as `encode(float8send(x), 'hex')`, and casts to text without a function.
    """
    keys = Query(tree).outputs[-1].expression
    if keys.tag != "COERCEVIAIO" or keys.number("resulttype") != BuiltinType.TEXT:
        return False
    array = keys.node("arg")
    if not _calls_builtin(array):
        return False
    values = array.nodes("args")
    if len(values) != len(expressions):
        return False
    for value, expression in zip(values, expressions, strict=True):
        held = value
        while structure(held) != structure(expression):
            if held.tag in _SHOWS:
                held = held.node("arg")
            elif _calls_builtin(held):
                held = held.nodes("args")[0]
            else:
                return False
    return True


def _calls_builtin(node: Node) -> bool:
    return node.tag == "FUNCEXPR" and node.number("funcid") < FIRST_USER_OID
