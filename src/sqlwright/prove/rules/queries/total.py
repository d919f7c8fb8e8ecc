"""Whether an ORDER BY is total: no two rows of the result are equal in all that it sorts by.

Two such rows would both be in the result for one value of each sort column. So the order is total if the query, without LIMIT and with its
sort columns fixed, has at most one row. NULLs are equal to each other in a sort: a column of a table that may be NULL is fixed in one case
and NULL in the other, and there is at most one row in each of these cases. Another expression that may be NULL counts for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.rows.cardinality import rows_of
from sqlwright.prove.rules.rows.equalities import Sense
from sqlwright.prove.rules.scopes import Prover
from sqlwright.prove.rules.verdicts import Verdict
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree
from sqlwright.prove.tree.querytree import Query, TargetEntry

# Each doubles the number of cases.
_MOST_NULLABLE = 3
# Where trees have the collation of an expression's value.
_COLLATIONS = {"VAR": "varcollid", "RELABELTYPE": "resultcollid", "COLLATEEXPR": "collOid", "FUNCEXPR": "funccollid", "OPEXPR": "opcollid"}


def why_total(prover: Prover, tree: Node) -> str:
    """Return why the ORDER BY of a SELECT is total; "" if that is not proven."""
    try:
        whole = _with_sort_columns(tree)
        fixed: dict[int, frozenset[Sense]] = {}
        nullable: dict[int, Node] = {}
        for clause, target, verdict in _sorted(prover, tree, whole):
            field = _COLLATIONS.get(target.expression.tag)
            if field is None or (verdict.nullable and (target.expression.tag != "VAR" or not _is_plain(whole))):
                continue
            collation = target.expression.number(field)
            loose = collation if collation in prover.facts.equalities.loose_collations else 0
            families = prover.facts.equalities.families(clause.number("eqop"))
            fixed[target.number] = frozenset((family, loose) for family in families)
            if verdict.nullable:
                nullable[target.number] = target.expression
        found = [rows_of(prover, case, None, rest) for case, rest in _cases(whole, fixed, nullable)]
    except UNREADABLE:
        return ""
    return found[0].reason if all(rows.at_most_one for rows in found) else ""


def _is_plain(query: Node) -> bool:
    """Return whether the columns of FROM are those of the result, so that WHERE can speak of them."""
    found = Query(query)
    return found.set_operations is None and not found.groups and not query.has("distinctClause")


def _cases(
    whole: Node, fixed: dict[int, frozenset[Sense]], nullable: dict[int, Node]
) -> Iterator[tuple[Node, dict[int, frozenset[Sense]]]]:
    """Yield the query, and what is fixed, for each choice of the columns that are NULL: first for none."""
    chosen = list(nullable)[:_MOST_NULLABLE]
    fixed = {number: senses for number, senses in fixed.items() if number in chosen or number not in nullable}
    for count in range(len(chosen) + 1):
        for absent in combinations(chosen, count):
            tests = [Node("NULLTEST", {"arg": nullable[number], "nulltesttype": "0", "argisrow": "false"}) for number in absent]
            yield _narrowed(whole, tests), {number: senses for number, senses in fixed.items() if number not in absent}


def _narrowed(tree: Node, tests: list[Node]) -> Node:
    jointree = tree.node("jointree")
    where = jointree.optional("quals")
    parts: list[Tree] = [*([] if where is None else [where]), *tests]
    if not tests:
        return tree
    both = Node("BOOLEXPR", {"boolop": "and", "args": parts}) if len(parts) > 1 else parts[0]
    return Node(tree.tag, {**tree.fields, "jointree": Node(jointree.tag, {**jointree.fields, "quals": both})})


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
