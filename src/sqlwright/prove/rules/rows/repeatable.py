"""Whether a subquery returns the same row however often it is evaluated within a statement.

`x IN (SELECT …)` and a subquery in FROM may be evaluated for every row anew, unlike a scalar subquery, which PostgreSQL evaluates once.
Within a snapshot, a plain SELECT from tables by a unique key finds the same row each time. What may choose another one is not accepted:
LIMIT (parallel workers deliver rows in any order), DISTINCT ON, an aggregate that depends on the order of its input, a locking clause
that skips rows, waits for newer ones or passes over what the statement itself has written, a volatile function, a sample.
"""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.volatility import is_volatile
from sqlwright.prove.tree.enums import CmdType, CTEMaterialize, RelKind, RTEKind, SubLinkType
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
_COMPUTES = ("hasWindowFuncs", "hasTargetSRFs", "hasModifyingCTE", "hasForUpdate", "hasRecursive")

_COUNTED = ("smallint", "integer", "bigint")
_COMPARED = (*_COUNTED, "oid", "date", "time without time zone", "timestamp without time zone", "timestamp with time zone")
# Aggregates whose result does not depend on the order of their input, and of which equal values are the same bytes.
_ORDERLESS = frozenset(
    (
        "count()",
        'count("any")',
        "bool_and(boolean)",
        "bool_or(boolean)",
        "every(boolean)",
        *(f"sum({name})" for name in _COUNTED),
        *(f"{aggregate}({name})" for aggregate in ("min", "max") for name in _COMPARED),
    )
)


def is_repeatable(facts: SchemaFacts, subquery: Node, views: frozenset[int] = frozenset()) -> bool:
    """Return whether a subquery, and all that it reads through views, is made of nothing but plain SELECTs from tables.

    `views` are those that it is inside of: before PostgreSQL 16, a view's query has entries for the view itself, which read nothing.
    """
    return all(_node_is(facts, node, views) for node in walk(subquery))


def relation_is_repeatable(facts: SchemaFacts, oid: int, views: frozenset[int] = frozenset()) -> bool:
    """Return whether a table, or a view that is made of nothing but plain SELECTs from tables."""
    relation = facts.relation(oid)
    if relation.kind is RelKind.VIEW and oid not in views:
        return is_repeatable(facts, facts.view_query(oid), views | {oid})
    return relation.kind is not RelKind.FOREIGN_TABLE


def is_evaluated_once(facts: SchemaFacts, common_table: Node) -> bool:
    """Return whether PostgreSQL keeps the rows of a WITH item: else it may put the query in the place of the item's name."""
    if common_table.enum("ctematerialized", CTEMaterialize) is CTEMaterialize.ALWAYS or common_table.flag("cterecursive"):
        return True
    query = common_table.node("ctequery")
    if any(Query(node).command is not CmdType.SELECT or node.has("rowMarks") for node in walk(query) if node.tag == "QUERY"):
        return True
    return is_volatile(facts, query)


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
        case "AGGREF":
            return facts.function(node.number("aggfnoid")).signature in _ORDERLESS
        case "SUBLINK":  # an array has the order in which its rows are delivered
            return node.enum("subLinkType", SubLinkType) is not SubLinkType.ARRAY
        case "NEXTVALUEEXPR" | "WINDOWFUNC" | "ROWCOMPAREEXPR" | "TABLESAMPLECLAUSE":
            return False
        case _:
            return True


def _entry_is(facts: SchemaFacts, entry: RangeEntry, views: frozenset[int]) -> bool:
    if entry.kind is not RTEKind.RELATION:
        return entry.kind in (RTEKind.SUBQUERY, RTEKind.JOIN, RTEKind.VALUES, RTEKind.RESULT, RTEKind.FUNCTION)
    return relation_is_repeatable(facts, entry.relation, views)
