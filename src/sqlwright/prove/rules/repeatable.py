"""Whether a subquery returns the same row however often it is evaluated within a statement.

`x IN (SELECT …)` may be evaluated for every row anew, unlike a scalar subquery, which PostgreSQL evaluates once. Within a snapshot, a plain
SELECT from tables by a unique key finds the same row each time. What may choose another one is not accepted: LIMIT without a total order,
DISTINCT ON, an aggregate that depends on the order of its input, a locking clause that skips rows or waits for newer ones, a volatile
function, a sample.
"""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.enums import CmdType, RelKind, RTEKind
from sqlwright.prove.tree.nodetree import Node, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry

_CHOOSES = (
    "limitCount",
    "limitOffset",
    "rowMarks",
    "setOperations",
    "distinctClause",
    "groupClause",
    "groupingSets",
    "havingQual",
    "cteList",
)
_COMPUTES = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasModifyingCTE", "hasForUpdate", "hasRecursive")


def is_repeatable(facts: SchemaFacts, subquery: Node, views: frozenset[int] = frozenset()) -> bool:
    """Return whether a subquery, and all that it reads through views, is made of nothing but plain SELECTs from tables.

    `views` are those that it is inside of: before PostgreSQL 16, a view's query has entries for the view itself, which read nothing.
    """
    return all(_node_is(facts, node, views) for node in walk(subquery))


def _node_is(facts: SchemaFacts, node: Node, views: frozenset[int]) -> bool:
    match node.tag:
        case "QUERY":
            plain = Query(node).command is CmdType.SELECT and not any(node.flag(name) for name in _COMPUTES)
            return plain and not any(node.has(name) for name in _CHOOSES)
        case "RANGETBLENTRY" | "RTE":
            return _entry_is(facts, RangeEntry(node), views)
        case "FUNCEXPR":
            return not facts.function(node.number("funcid")).volatile and not node.flag("funcretset")
        case "OPEXPR" | "DISTINCTEXPR" | "NULLIFEXPR" | "SCALARARRAYOPEXPR":
            return not facts.function(node.number("opfuncid")).volatile
        case "COERCEVIAIO":
            return facts.type(node.number("resulttype")).builtin_io
        case "NEXTVALUEEXPR" | "AGGREF" | "WINDOWFUNC" | "ROWCOMPAREEXPR" | "TABLESAMPLECLAUSE":
            return False
        case _:
            return True


def _entry_is(facts: SchemaFacts, entry: RangeEntry, views: frozenset[int]) -> bool:
    if entry.kind is not RTEKind.RELATION:
        return entry.kind in (RTEKind.SUBQUERY, RTEKind.JOIN, RTEKind.VALUES, RTEKind.RESULT)
    relation = facts.relation(entry.relation)
    if relation.kind is RelKind.VIEW and relation.oid not in views:
        return is_repeatable(facts, facts.view_query(relation.oid), views | {relation.oid})
    return relation.kind is not RelKind.FOREIGN_TABLE
