"""Whether an expression or a subquery may give another value each time it is evaluated."""

from __future__ import annotations

from sqlwright.prove.facts import SchemaFacts
from sqlwright.prove.nodetree import Node, Tree, walk
from sqlwright.prove.querytree import RELATION, RangeEntry
from sqlwright.prove.schemaobjects import FIRST_USER_OID


def is_volatile(facts: SchemaFacts, tree: Tree) -> bool:
    """Tell whether anything volatile is in a tree: functions, operators and casts, and the queries of the views that it reads."""
    return any(is_volatile_itself(facts, node) for node in walk(tree))


def is_volatile_itself(facts: SchemaFacts, node: Node) -> bool:
    """Tell whether a node is volatile, apart from what it holds."""
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
            return (
                entry.kind == RELATION
                and facts.relation(entry.relation).kind == "v"
                and is_volatile(facts, facts.view_query(entry.relation))
            )
        case _:
            return False
