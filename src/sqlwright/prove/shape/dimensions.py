"""The number of dimensions of arrays, which is not part of PostgreSQL's types: from declarations and from the expressions that make arrays.

Declarations are not enforced: `int[][]` documents a matrix, as `int[]` documents a list. The default is one. The arms of CASE, COALESCE or
UNION may differ; then the number varies. The dimensions of an array of a domain over arrays are its own; its elements have the domain's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from sqlwright.prove.catalog.objects import Relation
from sqlwright.prove.rules.exprtypes import is_array, type_of
from sqlwright.prove.rules.queries import returning
from sqlwright.prove.rules.queries.outputs import scope_of
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.tree.enums import RelKind, RTEKind, SetOperation, SubLinkType
from sqlwright.prove.tree.expressions import is_parameter
from sqlwright.prove.tree.nodetree import UNREADABLE, Node
from sqlwright.prove.tree.querytree import Query

_NDIM = 5  # in the bytes of a constant: after their count and the length of the value

_SAME_AS_ARGUMENT = frozenset(
    {
        "any_value(anyelement)",
        "array_remove(anycompatiblearray, anycompatible)",
        "array_replace(anycompatiblearray, anycompatible, anycompatible)",
        "array_reverse(anyarray)",
        "array_sample(anyarray, integer)",
        "array_shuffle(anyarray)",
        "array_sort(anyarray)",
        "array_sort(anyarray, boolean)",
        "array_sort(anyarray, boolean, boolean)",
        "first_value(anyelement)",
        "lag(anyelement)",
        "lag(anyelement, integer)",
        "last_value(anyelement)",
        "lead(anyelement)",
        "lead(anyelement, integer)",
        "max(anyarray)",
        "min(anyarray)",
        "mode(anyelement)",
        "nth_value(anyelement, integer)",
        "percentile_disc(double precision, anyelement)",
        "trim_array(anyarray, integer)",
    }
)
_ONE_OF_ARGUMENTS = frozenset(
    {
        "array_cat(anycompatiblearray, anycompatiblearray)",  # either may be empty, and then the other is the result
        "array_larger(anyarray, anyarray)",
        "array_smaller(anyarray, anyarray)",
    }
)
_SAME_AS_DIRECT_ARGUMENT = frozenset(
    {
        "percentile_cont(double precision[], double precision)",
        "percentile_cont(double precision[], interval)",
        "percentile_disc(double precision[], anyelement)",
    }
)


VARYING = 0
"""The number of dimensions where it varies."""

_Dimensions: TypeAlias = frozenset[int]
_ONE: _Dimensions = frozenset({1})
_ANY: _Dimensions = frozenset()
"""Of NULL and of the empty array, which fit any number."""
_ITSELF = -1
"""As many as the recursive query itself has."""


def output_dimensions(prover: Prover, node: Node, parent: Scope | None, index: int) -> int:
    """Return the number of dimensions of a column of a query, counted from 0; `VARYING` where its arrays may differ."""
    return _number(_output(prover, node, parent, index))


def dimensions_of(prover: Prover, node: Node, scope: Scope) -> int:
    """Return the number of dimensions of an expression; 1 if it is not an array, or unknown."""
    return _number(_of(prover, node, scope))


def _number(found: _Dimensions) -> int:
    known = found - {_ITSELF}
    if len(known) > 1 or VARYING in known:
        return VARYING
    return next(iter(known), 1)


def _output(prover: Prover, node: Node, parent: Scope | None, index: int) -> _Dimensions:
    query = prover.query(node)
    if query.set_operations is not None:
        return _of_set_operation(prover, query.set_operations, query, Scope(query, parent), index)
    expression = query.outputs[index].expression
    if not is_array(prover.facts, expression):
        return _ONE
    scope = scope_of(prover, query, parent)
    return _of(prover, expression, scope)


def _of_set_operation(prover: Prover, node: Node, query: Query, scope: Scope, index: int) -> _Dimensions:
    if node.tag == "RANGETBLREF":
        return _output(prover, query.entry(node.number("rtindex")).node.node("subquery"), scope, index)
    left = _of_set_operation(prover, node.node("larg"), query, scope, index)
    # Every row of INTERSECT and EXCEPT is one of the left side.
    is_union = node.enum("op", SetOperation) is SetOperation.UNION
    return left | _of_set_operation(prover, node.node("rarg"), query, scope, index) if is_union else left


def _of(prover: Prover, node: Node, scope: Scope) -> _Dimensions:
    try:
        return _dimensions_of(prover, node, scope)
    except UNREADABLE:
        return _ONE


def _of_all(prover: Prover, nodes: Iterable[Node], scope: Scope) -> _Dimensions:
    """Return the dimensions of a value that is one of several."""
    return _ANY.union(*(_of(prover, node, scope) for node in nodes))


def _gathered(found: _Dimensions) -> _Dimensions:
    """Return the dimensions of an array of arrays. Those of a recursive query may grow with each iteration."""
    return frozenset(VARYING if count in (VARYING, _ITSELF) else count + 1 for count in found)


def _dimensions_of(prover: Prover, node: Node, scope: Scope) -> _Dimensions:  # noqa: C901, PLR0912 - a case for each kind of node
    match node.tag:
        case "ARRAYEXPR":
            return _gathered(_of_all(prover, node.nodes("elements"), scope)) if node.flag("multidims") else _ONE
        case "AGGREF":
            level = scope.up(node.number("agglevelsup"))
            if prover.facts.function(node.number("aggfnoid")).signature in _SAME_AS_DIRECT_ARGUMENT:
                return _of(prover, node.nodes("aggdirectargs")[0], level)
            rows = level.row
            arguments = [entry.node("expr") for entry in node.nodes("args") if not entry.flag("resjunk")]
            return _ONE if rows is None else _of_call(prover, node, node.number("aggfnoid"), arguments, rows)
        case "WINDOWFUNC":
            return _of_call(prover, node, node.number("winfnoid"), node.nodes("args"), scope)
        case "FUNCEXPR":
            return _of_call(prover, node, node.number("funcid"), node.nodes("args"), scope)
        case "OPEXPR":
            return _of_call(prover, node, node.number("opfuncid"), node.nodes("args"), scope)
        case "SUBLINK" if (kind := node.enum("subLinkType", SubLinkType)) in (SubLinkType.EXPR, SubLinkType.ARRAY):
            inner = node.node("subselect")
            found = _output(prover, inner, scope, 0)
            if kind is SubLinkType.EXPR:
                return found
            element = prover.facts.type(type_of(prover.facts, prover.query(inner).outputs[0].expression))
            return _gathered(found) if element.is_array else _ONE
        case "RELABELTYPE" | "ARRAYCOERCEEXPR" | "COLLATEEXPR" | "COERCETODOMAIN":
            return _of(prover, node.node("arg"), scope)
        case "COALESCEEXPR" | "MINMAXEXPR":
            return _of_all(prover, node.nodes("args"), scope)
        case "NULLIFEXPR":
            return _of(prover, node.nodes("args")[0], scope)
        case "CASEEXPR":
            otherwise = node.optional("defresult")
            results = [branch.node("result") for branch in node.nodes("args")]
            return _of_all(prover, [*results, *([otherwise] if otherwise else [])], scope)
        case "SUBSCRIPTINGREF" if node.items("reflowerindexpr") or node.has("refassgnexpr"):
            return _of(prover, node.node("refexpr"), scope)
        case "FIELDSELECT":
            return frozenset({prover.facts.field_dimensions(type_of(prover.facts, node.node("arg")), node.number("fieldnum"))})
        case "CONST":
            return _of_constant(prover, node)
        case "PARAM" if is_parameter(node):
            return frozenset({prover.param_dimensions.get(node.number("paramid"), 1)})
        case "VAR":
            return _column(prover, node, scope.up(node.number("varlevelsup")))
        case _:
            return _declared(prover, node)


def _declared(prover: Prover, node: Node) -> _Dimensions:
    """Return the dimensions of an expression of which only the type is known: those of a domain, or one."""
    return frozenset({prover.facts.declared_dimensions(type_of(prover.facts, node))})


def _of_constant(prover: Prover, node: Node) -> _Dimensions:
    if node.flag("constisnull"):
        return _ANY
    value = node.raw("constvalue")
    if not prover.facts.is_array(node.number("consttype")) or not isinstance(value, list):
        return _ONE
    count = int(str(value[_NDIM]))
    return frozenset({count}) if count else _ANY


def _of_call(prover: Prover, node: Node, function: int, arguments: list[Node], scope: Scope) -> _Dimensions:
    signature = prover.facts.function(function).signature
    if signature is None:
        # Of the extension hstore, as far as a name can say.
        return frozenset({2}) if prover.facts.function(function).name == "hstore_to_matrix" else _declared(prover, node)
    if signature == "array_agg(anyarray)":
        return _gathered(_of(prover, arguments[0], scope))
    if signature in _ONE_OF_ARGUMENTS:
        return _of_all(prover, arguments, scope)
    if signature in ("lag(anycompatible, integer, anycompatible)", "lead(anycompatible, integer, anycompatible)"):
        return _of_all(prover, (arguments[0], arguments[2]), scope)
    if signature.startswith("array_fill("):
        return frozenset({len(arguments[1].nodes("elements"))}) if arguments[1].tag == "ARRAYEXPR" else frozenset({VARYING})
    return _of(prover, arguments[0], scope) if signature in _SAME_AS_ARGUMENT else _declared(prover, node)


def column_dimensions(prover: Prover, relation: Relation, attribute: int) -> int:
    """Return the number of dimensions of a column of a table or view."""
    return _number(_of_relation(prover, relation, attribute))


def _of_relation(prover: Prover, relation: Relation, attribute: int) -> _Dimensions:
    if relation.kind not in (RelKind.VIEW, RelKind.MATVIEW):
        return frozenset({relation.attributes[attribute].dimensions})
    try:
        return _output(prover, prover.facts.view_query(relation.oid), None, attribute - 1)
    except UNREADABLE:
        return _ONE


def _assigned(node: Node, attribute: int, at: Scope) -> list[Node]:
    """Return the expressions that the statement itself assigns to a column of its target in RETURNING, or of `excluded`."""
    if at.written is not None and node.number("varno") == at.query.result_relation:
        return returning.assigned_values(at.query, attribute)
    conflict = at.query.on_conflict
    if conflict is not None and node.number("varno") == conflict.number("exclRelIndex"):
        return returning.supplied_values(at.query, attribute)
    return []


def _column(prover: Prover, node: Node, at: Scope) -> _Dimensions:
    """Return the dimensions of a column, from its declaration or from the expression that makes it."""
    entry, attribute = at.query.entry(node.number("varno")), node.number("varattno")
    if attribute <= 0:
        return _ONE
    match entry.kind:
        case RTEKind.RELATION:
            found = _of_relation(prover, prover.facts.relation(entry.relation), attribute)
            return found | _of_all(prover, _assigned(node, attribute, at), replace(at, written=None))
        case RTEKind.SUBQUERY:
            return _output(prover, entry.node.node("subquery"), at, attribute - 1)
        case RTEKind.CTE:
            if entry.node.flag("self_reference"):
                return frozenset({_ITSELF})
            item, scope = at.common_table(entry)
            return _output(prover, item.node("ctequery"), scope, attribute - 1) - {_ITSELF}
        case RTEKind.GROUP if at.row is not None:
            return _of(prover, entry.node.nodes("groupexprs")[attribute - 1], at.row)
        case RTEKind.JOIN:
            source = entry.node.items("joinaliasvars")[attribute - 1]
            return _of(prover, source, at) if isinstance(source, Node) else _ONE
        case RTEKind.VALUES:
            return _of_all(prover, [row[attribute - 1] for row in at.query.values_rows(entry)], at)
        case _:
            return _declared(prover, node)
