"""Volatility: whether an expression may return another value each time it is evaluated, and whether a statement makes it do so.

PostgreSQL adds to a statement what its text does not show: the queries of views, and the policies of tables with row security. Which
policies apply depends on the role, so all of them count.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.tree.enums import CmdType, RTEKind, Volatility
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry

_CALLS = {
    "AGGREF": "aggfnoid",
    "DISTINCTEXPR": "opfuncid",
    "FUNCEXPR": "funcid",
    "NULLIFEXPR": "opfuncid",
    "OPEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "WINDOWFUNC": "winfnoid",
}
"""The nodes that call a function, and the fields that hold it."""


def called(node: Node) -> int | None:
    """Return the OID of the function that a node calls; None for another node."""
    return node.number(_CALLS[node.tag]) if node.tag in _CALLS else None


def reached(facts: SchemaFacts, tree: Tree, seen: set[int] | None = None) -> Iterator[Node]:
    """Yield the nodes of a tree, and of what is behind the relations in it: the queries of views, and the policies of tables.

    `seen` are the relations that were looked at: policies may be recursive, and before PostgreSQL 16, a view's query has entries for the
    view itself, which read nothing.
    """
    seen = set[int]() if seen is None else seen
    for node in walk(tree):
        yield node
        if node.tag in ("RANGETBLENTRY", "RTE"):
            entry = RangeEntry(node)
            if entry.kind is RTEKind.RELATION and entry.relation not in seen:
                seen.add(entry.relation)
                for under in facts.behind(entry.relation):
                    yield from reached(facts, under, seen)


def is_volatile(facts: SchemaFacts, tree: Tree) -> bool:
    """Return whether anything volatile is in a tree, or behind the relations that it reads: functions, operators and casts."""
    return any(is_volatile_itself(facts, node) for node in reached(facts, tree))


def may_change(facts: SchemaFacts, tree: Tree) -> bool:
    """Return whether anything in a tree, or behind its relations, may return something else the next time: volatile, or a sample."""
    return any(is_volatile_itself(facts, node) or _is_random(node) for node in reached(facts, tree))


def _is_random(node: Node) -> bool:
    """Return whether a node is a TABLESAMPLE without REPEATABLE."""
    return node.tag == "TABLESAMPLECLAUSE" and not node.has("repeatable")


def is_volatile_itself(facts: SchemaFacts, node: Node) -> bool:
    """Return whether a node is volatile, apart from what it holds."""
    function = called(node)
    if function is not None:
        return facts.function(function).volatile
    match node.tag:
        case "ROWCOMPAREEXPR":
            return any(operator >= FIRST_USER_OID for operator in node.numbers("opnos"))
        case "COERCEVIAIO":
            return not facts.type(node.number("resulttype")).builtin_io
        case "NEXTVALUEEXPR":
            return True
        case _:
            return False


def is_volatile_to_the_planner(facts: SchemaFacts, tree: Tree) -> bool:
    """Return whether a tree itself calls what is marked VOLATILE: what makes PostgreSQL evaluate a WITH item once.

    What may be volatile does not: the planner looks neither at the defaults of arguments nor at policies that do not apply.
    """
    functions = (called(node) for node in walk(tree))
    return any(function is not None and facts.function(function).volatility is Volatility.VOLATILE for function in functions)


def changes_settings(facts: SchemaFacts, statement: Tree) -> bool:
    """Return whether a statement may change, while it runs, what stable functions depend on.

    It may if it calls something volatile, such as `set_config`, or if it writes: a trigger, a default or a constraint can call it then.
    """
    return any(_changes_settings_itself(facts, node) for node in reached(facts, statement))


def _changes_settings_itself(facts: SchemaFacts, node: Node) -> bool:
    match node.tag:
        case "QUERY":
            return Query(node).command is not CmdType.SELECT
        case "COERCETODOMAIN":
            return any(changes_settings(facts, check) for check in facts.domain_checks(node.number("resulttype")))
        case "NEXTVALUEEXPR":
            return False
        case tag if tag in _CALLS:
            return facts.function(node.number(_CALLS[tag])).changes_settings
        case _:
            return is_volatile_itself(facts, node)
