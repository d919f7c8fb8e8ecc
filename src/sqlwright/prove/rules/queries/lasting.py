"""Whether what a statement sorts by is the same each time that it is executed, as long as the rows that it reads are the same.

A cursor holds the values of one execution, which the next one compares with: `now() - placed_at` is another value then, and so may be what
depends on the session's time zone or on another setting.
"""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.volatility import called, reached
from sqlwright.prove.tree.enums import CmdType, RelKind, RTEKind, Volatility
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry

_NEVER = frozenset({"JSONCONSTRUCTOREXPR", "JSONEXPR", "NEXTVALUEEXPR", "SQLVALUEFUNCTION", "TABLESAMPLECLAUSE", "XMLEXPR", "XMLSERIALIZE"})
_COMPUTES = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasModifyingCTE")
_GROUPS = ("groupClause", "groupingSets", "havingQual", "distinctClause", "setOperations")


def is_lasting(facts: SchemaFacts, query: Query, expression: Tree) -> bool:
    """Return whether an expression of a query is lasting.

    Raises:
        Unrecognised: a tree cannot be read.
    """
    nodes = list(walk(expression))
    if any(node.tag == "SUBLINK" or not _is_lasting_itself(facts, node) for node in nodes):
        return False
    return all(_column_is_lasting(facts, query, node) for node in nodes if node.tag == "VAR")


def _is_lasting_itself(facts: SchemaFacts, node: Node) -> bool:
    """Return whether a node is lasting, apart from what it holds."""
    function = called(node)
    if function is not None:
        found = facts.function(function)
        return found.volatility is Volatility.IMMUTABLE and not found.hides_volatile
    if node.tag == "COERCEVIAIO":
        return all(facts.type(oid).immutable_io for oid in (node.number("resulttype"), type_of(facts, node.node("arg"))))
    if node.tag == "ROWCOMPAREEXPR":
        return all(operator < FIRST_USER_OID for operator in node.numbers("opnos"))
    return node.tag not in _NEVER


def _column_is_lasting(facts: SchemaFacts, query: Query, var: Node) -> bool:
    if var.number("varlevelsup"):
        return False
    number = var.number("varattno")
    entry = query.entry(var.number("varno"))
    match entry.kind:
        case RTEKind.RELATION if facts.relation(entry.relation).kind is RelKind.VIEW:
            return _output_is_lasting(facts, facts.view_query(entry.relation), number)
        case RTEKind.RELATION:
            return True
        case RTEKind.SUBQUERY:
            # What a LATERAL one computes may come from another item of FROM.
            is_lateral = entry.node.flag("lateral")
            return _all_is_lasting(facts, query.node) if is_lateral else _output_is_lasting(facts, entry.node.node("subquery"), number)
        case RTEKind.CTE:
            named = (item for item in query.common_tables if item.text("ctename") == entry.node.text("ctename"))
            item = None if entry.node.number("ctelevelsup") else next(named, None)
            return item is not None and _output_is_lasting(facts, item.node("ctequery"), number)
        case RTEKind.JOIN:
            return is_lasting(facts, query, _joined_column(entry, number))
        case RTEKind.VALUES | RTEKind.FUNCTION:
            return _all_is_lasting(facts, query.node if entry.node.flag("lateral") else entry.node)
        case _:
            return False


def _joined_column(entry: RangeEntry, number: int) -> Node:
    return entry.node.nodes("joinaliasvars")[number - 1]


def _output_is_lasting(facts: SchemaFacts, node: Node, number: int) -> bool:
    """Return whether a column of a subquery is lasting. If it groups or combines rows, all that decides about them has to be."""
    query = Query(node)
    plain = query.command is CmdType.SELECT and not any(node.flag(name) for name in _COMPUTES) and not any(map(node.has, _GROUPS))
    if plain:
        target = next(target for target in query.outputs if target.number == number)
        if is_lasting(facts, query, target.expression):
            return True
    return _all_is_lasting(facts, node)


def _all_is_lasting(facts: SchemaFacts, node: Node) -> bool:
    return all(_is_lasting_itself(facts, found) for found in reached(facts, node))
