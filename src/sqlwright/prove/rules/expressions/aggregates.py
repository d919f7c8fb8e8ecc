"""Aggregates and window functions."""

from __future__ import annotations

from sqlwright.prove.catalog.totals import NEVER_NULL_AGGREGATES, NON_EMPTY_AGGREGATES, ORDERED_SET_AGGREGATES, VALUE_AGGREGATES
from sqlwright.prove.rules.rows import cardinality
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Verdict, first_nullable, may_be_null, never_null
from sqlwright.prove.tree.enums import AggKind, FrameOption
from sqlwright.prove.tree.expressions import location, structure
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query
from sqlwright.prove.tree.rowfacts import ValuePresent

_WITH_DEFAULT = 3
_RANKS = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist"})
_START_ALWAYS_BEFORE = FrameOption.START_UNBOUNDED_PRECEDING | FrameOption.START_CURRENT_ROW
_END_ALWAYS_BEHIND = FrameOption.END_UNBOUNDED_FOLLOWING | FrameOption.END_CURRENT_ROW
_EXCLUDES_CURRENT_ROW = FrameOption.EXCLUDE_CURRENT_ROW | FrameOption.EXCLUDE_GROUP


def aggregate(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """An aggregate: count is never NULL; the others need a row that counts."""
    at = scope.up(node.number("agglevelsup"))
    place = location(node)
    function = prover.facts.function(node.number("aggfnoid"))
    rows = at.row
    if rows is None:
        raise Unrecognised("an aggregate of a query that does not group")
    arguments = [entry.node("expr") for entry in node.nodes("args") if not entry.flag("resjunk")]
    verdicts = [prover.verdict(argument, rows) for argument in arguments]
    holes = not (
        function.name == "array_agg"
        and function.builtin
        and bool(verdicts)
        and not (verdicts[0].element_nullable if _nested(prover, node) else verdicts[0].nullable)
    )
    verdict = _judge(prover, node, at, function.name, builtin=function.builtin, verdicts=verdicts, place=place)
    if verdict.nullable and ValuePresent(structure(node)) in at.known:
        return never_null("HAVING drops the groups in which it is NULL", place, element_nullable=holes)
    return verdict.with_elements(nullable=holes)


def _judge(  # noqa: C901 - one case for each kind of aggregate
    prover: Prover, node: Node, at: Scope, name: str, *, builtin: bool, verdicts: list[Verdict], place: int | None
) -> Verdict:
    if not builtin:
        return may_be_null(f"`{name}` is not PostgreSQL's own aggregate and may return NULL", place)
    kind = AggKind(node.text("aggkind"))
    if name in NEVER_NULL_AGGREGATES or kind is AggKind.HYPOTHETICAL:
        return never_null(f"`{name}` is never NULL, not even without rows", place)
    if node.has("aggfilter"):
        return may_be_null(f"`{name}` is NULL when FILTER drops all rows of the group", place)
    if not cardinality.group_has_rows(prover, at):
        return may_be_null(f"`{name}` is NULL when there is no row", place)
    if name in NON_EMPTY_AGGREGATES:
        return never_null(f"the group has a row, and `{name}` is NULL only without one", place)
    if kind is AggKind.ORDERED_SET:
        direct = prover.first_nullable(node.nodes("aggdirectargs"), at)
        if direct is not None:
            return direct
        if name not in ORDERED_SET_AGGREGATES:
            return may_be_null(f"`{name}` may return NULL", place)
    elif name not in VALUE_AGGREGATES:
        return may_be_null(f"`{name}` may return NULL", place)
    needed = verdicts[:1] if name == "string_agg" else verdicts
    nullable = first_nullable(needed)
    if nullable is not None:
        return may_be_null(f"`{name}` is NULL when all its values in a group are NULL: {nullable.reason}", place)
    return never_null(f"the group has a row, and no value that `{name}` sees is NULL", place)


def _nested(prover: Prover, node: Node) -> bool:
    types = node.numbers("aggargtypes")
    return bool(types) and prover.facts.is_array(types[0])


def window_function(prover: Prover, node: Node, scope: Scope) -> Verdict:  # noqa: C901 - one case for each kind of function
    """Ranks are never NULL, neighbours may be missing, aggregates and the ends of the frame need a frame with the current row."""
    place = location(node)
    function = prover.facts.function(node.number("winfnoid"))
    name = function.name
    if not function.builtin:
        return may_be_null(f"`{name}` is not PostgreSQL's own function and may return NULL", place)
    arguments = node.nodes("args")
    verdicts = [prover.verdict(argument, scope) for argument in arguments]
    nullable = first_nullable(verdicts)
    if name in _RANKS or (node.flag("winagg") and name in NEVER_NULL_AGGREGATES):
        return never_null(f"`{name}` is never NULL", place)
    if name == "ntile":
        return nullable or never_null("`ntile` numbers every row", place)
    if name in ("lag", "lead"):
        if len(arguments) < _WITH_DEFAULT:
            return may_be_null(f"`{name}` without a default is NULL at the end of the partition", place)
        return (nullable or never_null(f"`{name}` has a default, and no value is NULL", place)).with_elements(nullable=True)
    frame = _frame(scope.query, node.number("winref"))
    nested = function.signature == "array_agg(anyarray)"
    holes = not (name == "array_agg" and bool(verdicts) and not (verdicts[0].element_nullable if nested else verdicts[0].nullable))
    if node.has("aggfilter"):
        return may_be_null(f"`{name}` is NULL when FILTER drops all rows of the frame", place, element_nullable=holes)
    if not frame:
        return may_be_null("the window frame may be empty", place, element_nullable=holes)
    if name in NON_EMPTY_AGGREGATES and node.flag("winagg"):
        return never_null(
            f"the window frame always holds the current row, and `{name}` is NULL only without one", place, element_nullable=holes
        )
    if name in ("first_value", "last_value") or (node.flag("winagg") and name in VALUE_AGGREGATES):
        needed = first_nullable(verdicts[:1] if name == "string_agg" else verdicts)
        if needed is not None:
            return needed.with_elements(nullable=holes)
        return never_null(
            f"the window frame always holds the current row, and no value that `{name}` sees is NULL", place, element_nullable=holes
        )
    return may_be_null(f"`{name}` may return NULL", place, element_nullable=holes)


def _frame(query: Query, reference: int) -> bool:
    """Return whether the frame holds the current row for every row. Offsets are trusted in ROWS and GROUPS mode, where they only count."""
    for clause in query.node.nodes("windowClause"):
        if clause.number("winref") == reference:
            options = clause.number("frameOptions")
            counted = not options & FrameOption.RANGE
            start = options & _START_ALWAYS_BEFORE or (counted and options & FrameOption.START_OFFSET_PRECEDING)
            end = options & _END_ALWAYS_BEHIND or (counted and options & FrameOption.END_OFFSET_FOLLOWING)
            return bool(start) and bool(end) and not options & _EXCLUDES_CURRENT_ROW
    raise Unrecognised("a window that is not defined")
