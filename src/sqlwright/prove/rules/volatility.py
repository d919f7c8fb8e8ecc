"""Volatility: whether an expression or a subquery may return another value each time it is evaluated."""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.tree.enums import RelKind, RTEKind
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import RangeEntry


def is_volatile(facts: SchemaFacts, tree: Tree, views: frozenset[int] = frozenset()) -> bool:
    """Return whether anything volatile is in a tree: functions, operators and casts, and the queries of the views that it reads.

    `views` are those that it is inside of: before PostgreSQL 16, a view's query has entries for the view itself, which read nothing.
    """
    return any(is_volatile_itself(facts, node, views) for node in walk(tree))


def is_volatile_itself(facts: SchemaFacts, node: Node, views: frozenset[int] = frozenset()) -> bool:
    """Return whether a node is volatile, apart from what it holds."""
    match node.tag:
        case "FUNCEXPR":
            return facts.function(node.number("funcid")).volatile
        case "OPEXPR" | "DISTINCTEXPR" | "NULLIFEXPR" | "SCALARARRAYOPEXPR":
            return facts.function(node.number("opfuncid")).volatile
        case "ROWCOMPAREEXPR":
            return any(operator >= FIRST_USER_OID for operator in node.numbers("opnos"))
        case "COERCEVIAIO":
            return not facts.type(node.number("resulttype")).builtin_io
        case "NEXTVALUEEXPR":
            return True
        case "RANGETBLENTRY" | "RTE":
            entry = RangeEntry(node)
            if entry.kind is not RTEKind.RELATION or entry.relation in views or facts.relation(entry.relation).kind is not RelKind.VIEW:
                return False
            return is_volatile(facts, facts.view_query(entry.relation), views | {entry.relation})
        case _:
            return False
