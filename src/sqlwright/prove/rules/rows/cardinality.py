"""Cardinality: whether a query has at least one row, and whether it has at most one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.rows.dependencies import FunctionalDependencies
from sqlwright.prove.rules.rows.equalities import Sense
from sqlwright.prove.rules.rows.reach import Reach, reach
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.tree.enums import (
    BuiltinFunction,
    BuiltinType,
    CmdType,
    JoinType,
    LimitOption,
    MergeMatchKind,
    OnConflictAction,
    RelKind,
    RTEKind,
    SetOperation,
)
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Unrecognised, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry
from sqlwright.prove.tree.rowfacts import NullExtension, Side

Fixed = Mapping[int, frozenset[Sense]]
_NOTHING: Fixed = {}
_INTEGERS = (BuiltinType.INT2, BuiltinType.INT4, BuiltinType.INT8)
_DATUM_BYTES = 8
_MERGE_MISS = NullExtension(0, Side.RIGHT)


@dataclass(frozen=True, slots=True)
class Rows:
    """The proof of a number of rows, and why; `location` is a byte offset into the statement, if there is a place to point at."""

    at_least_one: bool
    at_most_one: bool
    reason: str
    location: int | None = None


def many(reason: str, place: int | None = None) -> Rows:
    """Return that nothing is proven."""
    return Rows(at_least_one=False, at_most_one=False, reason=reason, location=place)


def at_most_one(reason: str, place: int | None = None) -> Rows:
    """Return that there is one row, or none."""
    return Rows(at_least_one=False, at_most_one=True, reason=reason, location=place)


def exactly_one(reason: str) -> Rows:
    """Return that there is one row."""
    return Rows(at_least_one=True, at_most_one=True, reason=reason)


_ONE_ROW_EACH = "every item of FROM has one row"


def rows_of(prover: Prover, node: Node, parent: Scope | None, fixed: Fixed = _NOTHING) -> Rows:
    """Return the number of rows of a query; with `fixed`, of those rows in which these output columns have one value."""
    try:
        query = prover.query(node)
        if query.command is CmdType.SELECT:
            return _select(prover, query, parent, fixed)
        return _written(prover, query, parent)
    except UNREADABLE as problem:
        return many(f"the query tree holds something that is not known here: {problem}")


def at_least_one_input_row(prover: Prover, at: Scope) -> bool:
    """Return whether FROM and WHERE always leave a row."""
    scope = Scope(at.query, at.parent)
    return _conditionless(at.query.where) and all(_item_has_row(prover, item, scope) for item in at.query.from_items)


def group_has_rows(prover: Prover, at: Scope) -> bool:
    """Return whether each group comes from at least one row: there is a GROUP BY, and no grouping set is empty."""
    sets = at.query.grouping_sets
    if sets is not None:
        return all(sets)
    if at.query.node.has("groupClause"):
        return True
    return at_least_one_input_row(prover, at)


# --- SELECT ---------------------------------------------------------------------------------------------------------------


def _select(prover: Prover, query: Query, parent: Scope | None, fixed: Fixed) -> Rows:
    operations = query.set_operations
    if operations is not None:
        rows = _set_operation(prover, operations, query, Scope(query, parent), fixed)
    else:
        rows = _distinct(prover, query, _grouped(prover, query, parent, fixed), fixed, parent)
    return _limited(query, rows)


def _joined(prover: Prover, query: Query, parent: Scope | None, fixed: Fixed) -> tuple[Rows, FunctionalDependencies]:
    scope = Scope(query, parent)
    least = at_least_one_input_row(prover, scope)
    scope.known = narrowing.row_facts(prover, scope)
    found = FunctionalDependencies(prover, scope, fixed, _limits_entry)
    return Rows(
        at_least_one=least, at_most_one=found.all_determined, reason=_explain(prover, scope, found), location=_place_of_loose(scope, found)
    ), found


def _explain(prover: Prover, scope: Scope, found: FunctionalDependencies) -> str:
    if not scope.tree.items:
        return "without FROM there is one row"
    loose = found.loose_item
    if loose is not None:
        entry = scope.query.entry(loose)
        if entry.kind is RTEKind.RELATION:
            relation = prover.facts.relation(entry.relation)
            called = relation.name if entry.alias in ("", relation.name) else f"{relation.name} {entry.alias}"
            if relation.kind is RelKind.RELATION and relation.descendants and entry.with_children:
                return f"`{called}` has child tables, and a unique index does not reach across them"
            return f"no equality is found that fixes a unique key of `{called}`, and there is no LIMIT 1"
        return (
            f"`{entry.alias}` may have many rows"
            if entry.alias and not entry.alias.startswith("*")
            else "an item of FROM may have many rows"
        )
    if not found.all_determined:
        return "a FULL JOIN may give a row for each of its sides"
    reasons = list(dict.fromkeys(found.reasons[item] for item in scope.tree.items if item in found.reasons))
    return ", and ".join(reasons) if reasons else _ONE_ROW_EACH


def _place_of_loose(scope: Scope, found: FunctionalDependencies) -> int | None:
    loose = found.loose_item
    if loose is None:
        return None
    for node in walk(scope.query.node):
        if node.tag == "VAR" and not node.number("varlevelsup") and node.number("varno") == loose and (place := location(node)) is not None:
            return place
    return None


def _grouped(prover: Prover, query: Query, parent: Scope | None, fixed: Fixed) -> Rows:
    if query.groups and not query.node.has("groupClause") and not query.node.has("groupingSets"):
        rows = exactly_one("aggregates without GROUP BY give one row")
    else:
        rows, found = _joined(prover, query, parent, fixed)
        sets = query.grouping_sets
        if sets is not None:
            rows = Rows(
                at_least_one=rows.at_least_one or not all(sets), at_most_one=sets == [frozenset()], reason="grouping sets give several rows"
            )
        elif (
            query.node.has("groupClause")
            and not rows.at_most_one
            and _all_fixed(query, query.node.nodes("groupClause"), found, fixed, query.having)
        ):
            rows = Rows(at_least_one=rows.at_least_one, at_most_one=True, reason="the columns of GROUP BY are fixed, so there is one group")
        elif query.node.has("groupClause") and not rows.at_most_one:
            rows = replace(rows, reason="there is one row for each group")
    if query.having is not None:
        rows = replace(rows, at_least_one=False, reason=f"{rows.reason}, and HAVING may drop it" if rows.at_most_one else rows.reason)
    if query.node.flag("hasTargetSRFs"):
        rows = many("a function in the target list returns a set")
    return rows


def _all_fixed(query: Query, clauses: Iterable[Node], found: FunctionalDependencies, fixed: Fixed, having: Node | None = None) -> bool:
    for clause in clauses:
        group = clause.number("tleSortGroupRef")
        target = next((t for t in query.targets if t.sort_group == group), None)
        if target is None:
            return False
        operator = clause.number("eqop")
        families = {family for family, collation in fixed.get(target.number, frozenset()) if not collation}
        if families & (found.families(operator) | {0}) or found.is_fixed(target.expression, operator):
            continue
        if having is None or not found.is_compared(target.expression, operator, having):
            return False
    return True


def _distinct(prover: Prover, query: Query, rows: Rows, fixed: Fixed, parent: Scope | None) -> Rows:
    clauses = query.node.nodes("distinctClause")
    if not clauses or rows.at_most_one or query.groups:
        return rows
    _, found = _joined(prover, query, parent, fixed)
    if _all_fixed(query, clauses, found, fixed):
        return Rows(at_least_one=rows.at_least_one, at_most_one=True, reason="the columns of DISTINCT are fixed")
    return rows


def _set_operation(prover: Prover, node: Node, query: Query, scope: Scope, fixed: Fixed) -> Rows:
    if node.tag == "RANGETBLREF":
        return rows_of(prover, query.entry(node.number("rtindex")).node.node("subquery"), scope, fixed)
    if node.tag != "SETOPERATIONSTMT":
        raise Unrecognised(f"{node.tag} as a set operation")
    left = _set_operation(prover, node.node("larg"), query, scope, fixed)
    right = _set_operation(prover, node.node("rarg"), query, scope, fixed)
    match node.enum("op", SetOperation):
        case SetOperation.UNION:
            clauses = [] if node.flag("all") else node.nodes("groupClauses")
            same = bool(clauses) and all(
                {family for family, collation in fixed.get(number, frozenset()) if not collation}
                & (prover.facts.equalities.families(clause.number("eqop")) | {0})
                for number, clause in enumerate(clauses, start=1)
            )
            if same:
                return at_most_one("UNION drops duplicates, and all its columns are fixed")
            return Rows(
                at_least_one=left.at_least_one or right.at_least_one, at_most_one=False, reason="UNION puts the rows of both sides together"
            )
        case SetOperation.INTERSECT:
            return Rows(
                at_least_one=False, at_most_one=left.at_most_one or right.at_most_one, reason="INTERSECT keeps no more than either side has"
            )
        case SetOperation.EXCEPT:
            return Rows(at_least_one=False, at_most_one=left.at_most_one, reason="EXCEPT keeps no more than its left side has")
        case SetOperation.NONE:
            raise Unrecognised("a set operation that is none")


def _limited(query: Query, rows: Rows) -> Rows:
    offset, limit = query.node.optional("limitOffset"), query.node.optional("limitCount")
    if offset is not None and constant_number(offset) != 0:
        rows = replace(rows, at_least_one=False, reason=f"{rows.reason}, and OFFSET may skip it" if rows.at_least_one else rows.reason)
    if limit is not None and not (limit.tag == "CONST" and limit.flag("constisnull")):
        count = constant_number(limit)
        ties = _with_ties(query)
        if count is not None and count <= 1 and not (ties and count == 1):
            reason = "LIMIT allows one row" if count == 1 else "LIMIT 0 allows no row"
            rows = Rows(
                at_least_one=rows.at_least_one and count == 1,
                at_most_one=True,
                reason=rows.reason if rows.at_most_one else reason,
                location=location(limit),
            )
        elif count is None or count < 1:
            rows = replace(rows, at_least_one=False)
    if query.node.items("rowMarks"):
        # A row that another transaction locks is skipped, one that it has changed is looked at again, and both may make it vanish.
        rows = replace(rows, at_least_one=False)
    return rows


def _with_ties(query: Query) -> bool:
    """Return whether the limit is FETCH FIRST … WITH TIES."""
    return query.node.enum("limitOption", LimitOption) is LimitOption.WITH_TIES


def constant_number(node: Node) -> int | None:
    """Return the value of an integer constant, looking through an implicit cast; None for anything else."""
    while node.tag == "FUNCEXPR" and node.number("funcid") == BuiltinFunction.INT8_FROM_INT4:
        node = node.nodes("args")[0]
    if node.tag != "CONST" or node.flag("constisnull") or node.number("consttype") not in _INTEGERS or not node.flag("constbyval"):
        return None
    value = node.raw("constvalue")
    if not isinstance(value, list) or len(value) != 1 + _DATUM_BYTES:
        return None
    return int.from_bytes(bytes(int(str(byte)) & 0xFF for byte in value[1:]), sys.byteorder, signed=True)


# --- FROM -----------------------------------------------------------------------------------------------------------------


def _limits_entry(prover: Prover, entry: RangeEntry | Node, scope: Scope, fixed: Fixed) -> str:
    """Return why a subquery, CTE or view has at most one row once some of its columns are fixed; "" if that is not proven.

    A Node is a query in an expression.
    """
    if isinstance(entry, Node):
        rows = rows_of(prover, entry, scope, fixed)
    elif entry.kind is RTEKind.SUBQUERY:
        rows = rows_of(prover, entry.node.node("subquery"), scope, fixed)
    elif entry.kind is RTEKind.CTE:
        item, owner = scope.common_table(entry)
        if item.flag("cterecursive"):
            return ""
        rows = rows_of(prover, item.node("ctequery"), owner, fixed)
    else:
        rows = rows_of(prover, prover.facts.view_query(entry.relation), scope, fixed)
    return (rows.reason or _ONE_ROW_EACH) if rows.at_most_one else ""


def _conditionless(condition: Node | None) -> bool:
    if condition is None:
        return True
    value = condition.raw("constvalue") if condition.tag == "CONST" and not condition.flag("constisnull") else None
    return isinstance(value, list) and "1" in value[1:]


def _item_has_row(prover: Prover, node: Node, scope: Scope) -> bool:
    if node.tag == "RANGETBLREF":
        return _entry_has_row(prover, scope.query.entry(node.number("rtindex")), scope)
    if node.tag != "JOINEXPR":
        return False
    left, right = (_item_has_row(prover, node.node(side), scope) for side in ("larg", "rarg"))
    match node.enum("jointype", JoinType):
        case JoinType.INNER:
            return left and right and _conditionless(node.optional("quals"))
        case JoinType.LEFT:
            return left
        case JoinType.FULL:
            return left or right
        case JoinType.RIGHT:
            return right


def _entry_has_row(prover: Prover, entry: RangeEntry, scope: Scope) -> bool:
    match entry.kind:
        case RTEKind.RELATION:
            relation = prover.facts.relation(entry.relation)
            return relation.kind is RelKind.VIEW and rows_of(prover, prover.facts.view_query(relation.oid), scope).at_least_one
        case RTEKind.SUBQUERY:
            return rows_of(prover, entry.node.node("subquery"), scope).at_least_one
        case RTEKind.FUNCTION:
            calls = [function.node("funcexpr") for function in entry.node.nodes("functions")]
            return any(c.tag != "FUNCEXPR" or not prover.facts.function(c.number("funcid")).returns_set for c in calls)
        case RTEKind.VALUES | RTEKind.RESULT:
            return True
        case RTEKind.CTE:
            item, owner = scope.common_table(entry)
            if entry.node.flag("self_reference"):
                return False
            return rows_of(prover, item.node("ctequery"), owner).at_least_one
        case RTEKind.JOIN | RTEKind.TABLEFUNC | RTEKind.NAMEDTUPLESTORE | RTEKind.GROUP:
            return False


# --- statements that write --------------------------------------------------------------------------------------------------


def _written(prover: Prover, query: Query, parent: Scope | None) -> Rows:
    if query.command is CmdType.MERGE:
        return _merged(prover, query, parent)
    if query.command not in (CmdType.INSERT, CmdType.UPDATE, CmdType.DELETE):
        return many("the statement returns no rows that are proven")
    reached = reach(prover.facts, query)
    if reached.rewritten:
        return many(reached.rewritten)
    if query.node.flag("hasTargetSRFs"):
        return many("a function in the target list returns a set")
    if query.command is CmdType.INSERT:
        return _inserted(prover, query, parent, reached)
    rows, found = _joined(prover, query, parent, _NOTHING)
    if reached.replaced:
        return replace(rows, at_least_one=False)
    target, name = query.result_relation, prover.facts.relation(query.target_relation).name
    if target is not None and target in found.determined:
        return at_most_one(found.reasons.get(target, f"`{name}` has one row for the given values"))
    return many(f"no equality is found that fixes a unique key of `{name}`")


def _inserted(prover: Prover, query: Query, parent: Scope | None, reached: Reach) -> Rows:
    if query.from_items:
        rows, _ = _joined(prover, query, parent, _NOTHING)
    else:
        rows = Rows(at_least_one=_conditionless(query.where), at_most_one=True, reason="one row is inserted")
    if rows.at_least_one and rows.at_most_one:
        rows = replace(rows, reason="one row is inserted")
    conflict = query.on_conflict
    skipped = reached.replaced or reached.altered
    if conflict is not None and conflict.enum("action", OnConflictAction) is OnConflictAction.NOTHING:
        skipped = "ON CONFLICT DO NOTHING may skip it"
    elif conflict is not None and conflict.optional("onConflictWhere") is not None:
        skipped = "the WHERE of DO UPDATE may skip it"
    if skipped:
        return replace(rows, at_least_one=False, reason=f"{rows.reason}, but {skipped}" if rows.at_most_one else rows.reason)
    return rows


def _merged(prover: Prover, query: Query, parent: Scope | None) -> Rows:
    """Return the number of rows of a MERGE, which acts once for each matching pair of rows, or once for a source row without a match."""
    condition = query.merge_condition
    actions = query.merge_actions
    if reach(prover.facts, query).rewritten or query.node.flag("hasTargetSRFs"):
        return many("a rule, or a function that returns a set, may make many rows")
    if condition is None or any(a.enum("matchKind", MergeMatchKind) is MergeMatchKind.NOT_MATCHED_BY_SOURCE for a in actions):
        return many("a MERGE may act on many rows")
    scope = Scope(query, parent)
    scope.known = narrowing.row_facts(prover, scope)
    if query.result_relation is None:
        raise Unrecognised("a MERGE without a target")
    scope.tree.paths[query.result_relation] = (_MERGE_MISS,)
    found = FunctionalDependencies(prover, scope, _NOTHING, _limits_entry, condition, frozenset({_MERGE_MISS}))
    if found.all_determined and query.result_relation in found.determined:
        return at_most_one("the source has one row, and the condition matches one row of the target with it")
    return many("the source or the matches may be many")
