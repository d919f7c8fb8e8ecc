"""Whether a subquery returns the same row however often it is evaluated within a statement.

`x IN (SELECT …)` and a subquery in FROM may be evaluated for every row anew, unlike a scalar subquery, which PostgreSQL evaluates once.
Within a snapshot, a plain SELECT from tables by a unique key finds the same row each time. What may choose another one is not accepted:
LIMIT (parallel workers deliver rows in any order), DISTINCT ON, an aggregate that depends on the order of its input, a locking clause
that skips rows, waits for newer ones or passes over what the statement itself has written, a volatile function, a sample.
"""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.rows.steadiness import is_steady_itself
from sqlwright.prove.rules.scopes import Prover
from sqlwright.prove.rules.volatility import is_volatile_to_the_planner, reached
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


def is_repeatable(prover: Prover, subquery: Node) -> bool:
    """Return whether a subquery, and all that is behind its relations, is made of nothing but plain SELECTs from tables."""
    return all(_node_is(prover, node) for node in reached(prover.facts, subquery))


def relation_is_repeatable(prover: Prover, oid: int) -> bool:
    """Return whether a table without policies that choose, or a view that is made of nothing but plain SELECTs from tables."""
    stored = prover.facts.relation(oid).kind is not RelKind.FOREIGN_TABLE
    return stored and all(_node_is(prover, node) for tree in prover.facts.behind(oid) for node in reached(prover.facts, tree, {oid}))


def is_evaluated_once(facts: SchemaFacts, common_table: Node) -> bool:
    """Return whether PostgreSQL keeps the rows of a WITH item: else it may put the query in the place of the item's name."""
    if common_table.enum("ctematerialized", CTEMaterialize) is CTEMaterialize.ALWAYS or common_table.flag("cterecursive"):
        return True
    query = common_table.node("ctequery")
    if any(Query(node).command is not CmdType.SELECT or node.has("rowMarks") for node in walk(query) if node.tag == "QUERY"):
        return True
    return is_volatile_to_the_planner(facts, query)


def _node_is(prover: Prover, node: Node) -> bool:
    match node.tag:
        case "QUERY":
            plain = Query(node).command is CmdType.SELECT and not any(node.flag(name) for name in _COMPUTES)
            return plain and not any(node.has(name) for name in _CHOOSES)
        case "RANGETBLENTRY" | "RTE":
            return _entry_is(prover.facts, RangeEntry(node))
        case "FUNCEXPR" if node.flag("funcretset"):
            return False
        case "AGGREF":
            return prover.facts.function(node.number("aggfnoid")).signature in _ORDERLESS
        case "SUBLINK":  # an array has the order in which its rows are delivered
            return node.enum("subLinkType", SubLinkType) is not SubLinkType.ARRAY
        case "NEXTVALUEEXPR" | "WINDOWFUNC" | "ROWCOMPAREEXPR" | "TABLESAMPLECLAUSE":
            return False
        case _:
            return is_steady_itself(prover, node)


def _entry_is(facts: SchemaFacts, entry: RangeEntry) -> bool:
    if entry.kind is not RTEKind.RELATION:
        return entry.kind in (RTEKind.SUBQUERY, RTEKind.JOIN, RTEKind.VALUES, RTEKind.RESULT, RTEKind.FUNCTION)
    return facts.relation(entry.relation).kind is not RelKind.FOREIGN_TABLE
