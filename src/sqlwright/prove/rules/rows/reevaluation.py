"""What PostgreSQL may evaluate again within a statement, for each row of a join or in each parallel worker, and find something else."""

from __future__ import annotations

from sqlwright.prove.rules.rows.repeatable import is_evaluated_once, is_repeatable, relation_is_repeatable
from sqlwright.prove.rules.rows.steadiness import is_steady
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.tree.enums import CmdType, RelKind, RTEKind
from sqlwright.prove.tree.expressions import outer_items
from sqlwright.prove.tree.jointree import Join
from sqlwright.prove.tree.nodetree import Node
from sqlwright.prove.tree.rowfacts import NullExtension


def may_change(prover: Prover, scope: Scope, item: int) -> bool:
    """Return whether a join may evaluate an item of FROM anew for each row of another one, and get another row."""
    entry = scope.query.entry(item)
    if _joined(scope) == frozenset({item}):
        return False
    match entry.kind:
        case RTEKind.RELATION:
            # The row of a key is the same wherever it is there, whatever a policy of row security says.
            is_view = prover.facts.relation(entry.relation).kind is RelKind.VIEW
            return (is_view or bool(scope.tree.paths.get(item))) and not relation_is_repeatable(prover, entry.relation)
        case RTEKind.SUBQUERY:
            return not is_repeatable(prover, entry.node.node("subquery"))
        case RTEKind.CTE:
            common_table, _ = scope.common_table(entry)
            return not (is_evaluated_once(prover.facts, common_table) or is_repeatable(prover, common_table.node("ctequery")))
        case RTEKind.FUNCTION:  # its rows are kept, but for those of LATERAL, and by each parallel worker for itself
            if scope.is_serial:
                return bool(outer_items(entry.node)) and not is_steady(prover, entry.node)
            return not is_repeatable(prover, entry.node)
        case _:
            return not is_repeatable(prover, entry.node)


def matches_alike(prover: Prover, scope: Scope, event: NullExtension, join: Join) -> bool:
    """Return whether a join finds a match each time or never, if it is evaluated again for each row of the items beside it."""
    if join.left | join.right == _joined(scope):
        return True
    conditions = (condition.expression for condition in scope.tree.conditions if event in condition.guard)
    return all(is_repeatable(prover, condition) for condition in conditions)


def is_same_each_time(prover: Prover, scope: Scope, subquery: Node) -> bool:
    """Return whether a scalar subquery that refers to nothing outside of it has the same value in all rows.

    That of the statement itself is evaluated before its parallel workers start. Inside a subquery or a view it may be evaluated by
    each of them (an InitPlan below Gather, since PostgreSQL 17), so it has to return the same each time.
    """
    return scope.parent is None or scope.is_serial or is_repeatable(prover, subquery)


def _joined(scope: Scope) -> frozenset[int]:
    """All items that are joined at the query level."""
    query = scope.query
    return frozenset(scope.tree.items).union(query.written_items if query.command is CmdType.MERGE else ())
