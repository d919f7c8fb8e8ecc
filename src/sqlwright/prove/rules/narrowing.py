# ruff: noqa: ARG001 - all rules have one signature
"""Narrowing: the facts that a condition implies. A row for which `o.total > $1` is true has a total.

`true(condition)` returns the facts about a row for which the condition is true, `present(expression)` those if the expression is not NULL.
Both rest on strictness: PostgreSQL does not call a strict function with a NULL; its result is NULL, and NULL is not true.

Facts are about columns, parameters and aggregates, never about other expressions: a volatile function may return another value next time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.volatility import is_volatile
from sqlwright.prove.tree.enums import BoolExprType, BoolTestType, NullTestType, ParamKind, RTEKind, SubLinkType
from sqlwright.prove.tree.expressions import structure
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, walk
from sqlwright.prove.tree.querytree import null_test, returning_type
from sqlwright.prove.tree.rowfacts import (
    ColumnPresent,
    JoinMatched,
    NullExtension,
    ParameterPresent,
    RowComplete,
    RowFact,
    RowFacts,
    ValuePresent,
    close,
)

NONE: RowFacts = frozenset()


@dataclass(frozen=True, slots=True)
class Ground:
    """The place of a condition: its scope, and the null extensions that may have happened there (None: all on the items' paths)."""

    prover: Prover
    scope: Scope
    events: frozenset[NullExtension] | None = None


Inference: TypeAlias = Callable[[Ground, Node], RowFacts]


def _apply(table: Mapping[str, Inference], ground: Ground, node: Node) -> RowFacts:
    rule = table.get(node.tag)
    if rule is None:
        return NONE
    try:
        return rule(ground, node)
    except UNREADABLE:
        return NONE


def true(ground: Ground, node: Node) -> RowFacts:
    """Return the facts if the condition is true."""
    return _apply(TRUTHS, ground, node) | present(ground, node)


def false(ground: Ground, node: Node) -> RowFacts:
    """Return the facts if the condition is false (and not NULL)."""
    return _apply(FALSEHOODS, ground, node) | present(ground, node) | not_true(ground, node)


def not_true(ground: Ground, node: Node) -> RowFacts:
    """Return the facts if the condition is false or NULL."""
    return _apply(REFUSALS, ground, node)


def present(ground: Ground, node: Node) -> RowFacts:
    """Return the facts if the expression is not NULL."""
    return _apply(PRESENCES, ground, node)


def row_facts(prover: Prover, scope: Scope) -> RowFacts:
    """Return the facts that the conditions of a query level imply about each row of the join tree."""
    clauses: list[tuple[frozenset[NullExtension], RowFacts]] = []
    for condition in scope.tree.conditions:
        findings = true(Ground(prover, scope, condition.below), condition.expression)
        clauses.append((condition.guard, findings))
    return close(clauses)


def _union(ground: Ground, nodes: list[Node], rule: Callable[[Ground, Node], RowFacts]) -> RowFacts:
    return NONE.union(*(rule(ground, node) for node in nodes))


def _shared(ground: Ground, nodes: list[Node], rule: Callable[[Ground, Node], RowFacts]) -> RowFacts:
    found = [rule(ground, node) for node in nodes]
    return found[0].intersection(*found[1:]) if found else NONE


# --- not NULL -----------------------------------------------------------------------------------------------------------


def _present_var(ground: Ground, node: Node) -> RowFacts:
    """The column is not NULL, so none of the joins that could have null-extended its item did."""
    if node.number("varlevelsup") or returning_type(node):
        return NONE
    item, attribute = node.number("varno"), node.number("varattno")
    if attribute == 0 and ground.scope.query.entry(item).kind is RTEKind.JOIN:
        return NONE  # the row of a join is built from its columns: it is there even when the join is null-extended
    found: set[RowFact] = {ColumnPresent(item, attribute)}
    path = ground.scope.tree.paths.get(item)
    if path is not None:
        nulling = frozenset(node.numbers("varnullingrels")) if "varnullingrels" in node.fields else None
        found |= {
            JoinMatched(event)
            for event in path
            if (ground.events is None or event in ground.events) and (nulling is None or event.join in nulling)
        }
    return frozenset(found) | _through_alias(ground, item, attribute)


def _through_alias(ground: Ground, item: int, attribute: int) -> RowFacts:
    """A merged column of a join is an expression over its two sides."""
    entry = ground.scope.query.entry(item)
    if "joinaliasvars" not in entry.node.fields or attribute < 1:
        return NONE
    columns = entry.node.items("joinaliasvars")
    column = columns[attribute - 1] if attribute <= len(columns) else None
    return present(ground, column) if isinstance(column, Node) else NONE


def _present_param(ground: Ground, node: Node) -> RowFacts:
    return frozenset({ParameterPresent(node.number("paramid"))}) if node.enum("paramkind", ParamKind) is ParamKind.EXTERN else NONE


def _present_aggregate(ground: Ground, node: Node) -> RowFacts:
    """An aggregate has one value for its group, however often it is written, unless a volatile function is in it."""
    if is_volatile(ground.prover.facts, node) or any(part.tag == "SUBLINK" for part in walk(node)):
        return NONE
    return frozenset({ValuePresent(structure(node))})


def _present_function(ground: Ground, node: Node) -> RowFacts:
    function = ground.prover.facts.function(node.number("funcid"))
    return _union(ground, node.nodes("args"), present) if function.strict and not function.returns_set else NONE


def _present_operator(ground: Ground, node: Node) -> RowFacts:
    """A strict operator had no NULL; NULLIF(a, b) returns a or NULL, so only a is known."""
    if node.tag == "NULLIFEXPR":
        return present(ground, node.nodes("args")[0])
    function = ground.prover.facts.function(node.number("opfuncid"))
    if not function.strict or function.returns_set or names_null(node):
        return NONE
    return _union(ground, node.nodes("args"), present)


def names_null(operator: Node) -> bool:
    """Return whether an operand is the constant NULL: a session with transform_null_equals reads `x = NULL` as `x IS NULL`."""
    for operand in operator.nodes("args"):
        value = operand
        while value.tag in ("RELABELTYPE", "COERCETODOMAIN", "COLLATEEXPR"):
            value = value.node("arg")
        if value.tag == "CONST" and value.flag("constisnull"):
            return True
    return False


def _present_wrapped(ground: Ground, node: Node) -> RowFacts:
    return present(ground, node.node("arg"))


def _present_converted(ground: Ground, node: Node) -> RowFacts:
    """Built-in input functions return NULL for NULL."""
    return present(ground, node.node("arg")) if ground.prover.facts.type(node.number("resulttype")).builtin_io else NONE


def _present_element(ground: Ground, node: Node) -> RowFacts:
    known = ground.prover.facts.is_array(node.number("refcontainertype")) or node.number("refcontainertype") < FIRST_USER_OID
    return present(ground, node.node("refexpr")) if known and not node.has("refassgnexpr") else NONE


def _present_test(ground: Ground, node: Node) -> RowFacts:
    test = ground.scope.test_node
    return present(ground, test) if test is not None and test.tag == "VAR" else NONE


# --- true ---------------------------------------------------------------------------------------------------------------


def _true_boolean(ground: Ground, node: Node) -> RowFacts:
    arguments = node.nodes("args")
    match BoolExprType(node.text("boolop")):
        case BoolExprType.AND:
            return _union(ground, arguments, true)
        case BoolExprType.OR:
            return _shared(ground, arguments, true)
        case BoolExprType.NOT:
            return false(ground, arguments[0])


def _true_null_test(ground: Ground, node: Node) -> RowFacts:
    """IS NOT NULL; of a row it says that no field is NULL, and a row that is NULL itself does not pass either."""
    if null_test(node) is not NullTestType.IS_NOT_NULL:
        return NONE
    argument = node.node("arg")
    if argument.tag == "ROWEXPR":
        return _union(ground, argument.nodes("args"), present)
    found = present(ground, argument)
    if found and argument.tag == "VAR" and argument.number("varattno") == 0 and node.flag("argisrow"):
        found |= {RowComplete(argument.number("varno"))}
    return found


def _true_boolean_test(ground: Ground, node: Node) -> RowFacts:
    argument = node.node("arg")
    match node.enum("booltesttype", BoolTestType):
        case BoolTestType.IS_TRUE:
            return true(ground, argument)
        case BoolTestType.IS_FALSE:
            return false(ground, argument)
        case BoolTestType.IS_NOT_TRUE:
            return not_true(ground, argument)
        case BoolTestType.IS_NOT_UNKNOWN:
            return present(ground, argument)
        case BoolTestType.IS_NOT_FALSE | BoolTestType.IS_UNKNOWN:
            return NONE


def _true_any(ground: Ground, node: Node) -> RowFacts:
    """`x = ANY (array)` found an element, so neither is NULL; `x <> ALL (array)` is true of an empty array whatever x is."""
    function = ground.prover.facts.function(node.number("opfuncid"))
    element, array = node.nodes("args")
    if not function.strict:
        return NONE
    if node.flag("useOr"):
        return present(ground, element) | present(ground, array)
    # ARRAY[a, b] of arrays has no element when a and b have none.
    return present(ground, element) if array.tag == "ARRAYEXPR" and array.items("elements") and not array.flag("multidims") else NONE


def _true_sublink(ground: Ground, node: Node) -> RowFacts:
    """`x IN (SELECT …)` found a row."""
    return (
        true(ground, node.node("testexpr")) if node.enum("subLinkType", SubLinkType) is SubLinkType.ANY and node.has("testexpr") else NONE
    )


def _true_row_comparison(ground: Ground, node: Node) -> RowFacts:
    """`(a, b) > (c, d)` looks at a and c first, and is NULL when one of them is; b and d may never be looked at."""
    return present(ground, node.nodes("largs")[0]) | present(ground, node.nodes("rargs")[0])


# --- false, and not true --------------------------------------------------------------------------------------------------


def _false_boolean(ground: Ground, node: Node) -> RowFacts:
    arguments = node.nodes("args")
    match BoolExprType(node.text("boolop")):
        case BoolExprType.OR:
            return _union(ground, arguments, false)
        case BoolExprType.AND:
            return _shared(ground, arguments, false)
        case BoolExprType.NOT:
            return true(ground, arguments[0])


def _false_distinct(ground: Ground, node: Node) -> RowFacts:
    """`a IS NOT DISTINCT FROM b`: when one is not NULL, neither is the other."""
    left, right = node.nodes("args")
    bare = Scope(ground.scope.query, ground.scope.parent, joins=ground.scope.joins)
    found = NONE
    if not ground.prover.verdict(right, bare).nullable:
        found |= present(ground, left)
    if not ground.prover.verdict(left, bare).nullable:
        found |= present(ground, right)
    return found


def _refused_null_test(ground: Ground, node: Node) -> RowFacts:
    """`x IS NULL` is never NULL itself, so x is there; of a row it says that some field is, so the row itself is there too."""
    argument = node.node("arg")
    return present(ground, argument) if null_test(node) is NullTestType.IS_NULL and argument.tag != "ROWEXPR" else NONE


def _refused_boolean(ground: Ground, node: Node) -> RowFacts:
    arguments = node.nodes("args")
    match BoolExprType(node.text("boolop")):
        case BoolExprType.OR:
            return _union(ground, arguments, not_true)
        case BoolExprType.AND:
            return _shared(ground, arguments, not_true)
        case BoolExprType.NOT:
            return NONE


# --- the tables ------------------------------------------------------------------------------------------------------------

TRUTHS: Mapping[str, Inference] = {
    "BOOLEANTEST": _true_boolean_test,
    "BOOLEXPR": _true_boolean,
    "NULLTEST": _true_null_test,
    "ROWCOMPAREEXPR": _true_row_comparison,
    "SCALARARRAYOPEXPR": _true_any,
    "SUBLINK": _true_sublink,
}
"""Rules for conditions known to be true, by tag."""

FALSEHOODS: Mapping[str, Inference] = {
    "BOOLEXPR": _false_boolean,
    "DISTINCTEXPR": _false_distinct,
}
"""Rules for conditions known to be false."""

REFUSALS: Mapping[str, Inference] = {
    "BOOLEXPR": _refused_boolean,
    "NULLTEST": _refused_null_test,
}
"""Rules for conditions known not to be true: false or NULL."""

PRESENCES: Mapping[str, Inference] = {
    "AGGREF": _present_aggregate,
    "ARRAYCOERCEEXPR": _present_wrapped,
    "CASETESTEXPR": _present_test,
    "COERCETODOMAIN": _present_wrapped,
    "COERCEVIAIO": _present_converted,
    "COLLATEEXPR": _present_wrapped,
    "CONVERTROWTYPEEXPR": _present_wrapped,
    "FIELDSELECT": _present_wrapped,
    "FUNCEXPR": _present_function,
    "NAMEDARGEXPR": _present_wrapped,
    "NULLIFEXPR": _present_operator,
    "OPEXPR": _present_operator,
    "PARAM": _present_param,
    "RELABELTYPE": _present_wrapped,
    "SUBSCRIPTINGREF": _present_element,
    "VAR": _present_var,
}
"""Rules for expressions known not to be NULL."""
