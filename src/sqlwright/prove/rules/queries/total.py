"""Whether an ORDER BY is total: no two rows of the result are equal in all that it sorts by.

Two such rows would both be in the result for one value of each sort column. So the order is total if the query, without LIMIT and with its
sort columns fixed, has at most one row. NULLs are equal to each other in a sort: a column that may be NULL counts for nothing here.
"""

from __future__ import annotations

from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.rows.cardinality import rows_of
from sqlwright.prove.rules.rows.equalities import Sense
from sqlwright.prove.rules.scopes import Prover
from sqlwright.prove.rules.verdicts import Verdict
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree
from sqlwright.prove.tree.querytree import Query, TargetEntry

# Where trees have the collation of an expression's value.
_COLLATIONS = {"VAR": "varcollid", "RELABELTYPE": "resultcollid", "COLLATEEXPR": "collOid", "FUNCEXPR": "funccollid", "OPEXPR": "opcollid"}


def why_total(prover: Prover, tree: Node) -> str:
    """Return why the ORDER BY of a SELECT is total; "" if that is not proven."""
    try:
        whole = _with_sort_columns(tree)
        fixed: dict[int, frozenset[Sense]] = {}
        for clause, target, verdict in _sorted(prover, tree, whole):
            field = _COLLATIONS.get(target.expression.tag)
            if field is None or verdict.nullable:
                continue
            collation = target.expression.number(field)
            loose = collation if collation in prover.facts.equalities.loose_collations else 0
            families = prover.facts.equalities.families(clause.number("eqop"))
            fixed[target.number] = frozenset((family, loose) for family in families)
        rows = rows_of(prover, whole, None, fixed)
    except UNREADABLE:
        return ""
    return rows.reason if rows.at_most_one else ""


def nullable_sort_columns(prover: Prover, tree: Node) -> tuple[bool, ...]:
    """Return which of the columns that a SELECT sorts by may be NULL.

    Raises:
        Unrecognised: its tree cannot be read.
    """
    return tuple(verdict.nullable for _, _, verdict in _sorted(prover, tree, _with_sort_columns(tree)))


def _sorted(prover: Prover, tree: Node, whole: Node) -> list[tuple[Node, TargetEntry, Verdict]]:
    """Return what a query sorts by: the items of ORDER BY, and the columns of the `whole` one that they are."""
    query = Query(whole)
    verdicts = {target.number: verdict for target, verdict in zip(query.outputs, outputs(prover, whole, None), strict=True)}
    targets = {target.sort_group: target for target in query.outputs if target.sort_group}
    found = [(clause, targets[clause.number("tleSortGroupRef")]) for clause in tree.nodes("sortClause")]
    return [(clause, target, verdicts[target.number]) for clause, target in found]


def _with_sort_columns(tree: Node) -> Node:
    """Return a query that also returns what it sorts by, without its LIMIT."""
    targets: list[Tree] = [
        Node(target.tag, {**target.fields, "resjunk": "false"}) if target.number("ressortgroupref") else target
        for target in tree.nodes("targetList")
    ]
    return Node(tree.tag, {**tree.fields, "targetList": targets, "limitCount": None, "limitOffset": None, "sortClause": None})
