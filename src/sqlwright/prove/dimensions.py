"""How many dimensions an array has. PostgreSQL's types do not say; what a column is declared with does, and so does what makes an array.

A declaration is not enforced: `int[][]` is the author's word for a matrix, as `int[]` is for a list. What nothing is known of has one.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright.prove.exprtypes import is_array, type_of
from sqlwright.prove.nodetree import UNREADABLE, Node
from sqlwright.prove.nullability import Prover, Scope
from sqlwright.prove.querytree import CTE, GROUP, JOIN, RELATION, SELECT, SUBQUERY, VALUES
from sqlwright.prove.rules import queries, recursion, returning
from sqlwright.prove.schemaobjects import Relation

_EXTERNAL, _SCALAR, _ARRAY = 0, 4, 6
_NDIM = 5  # in the bytes of a constant: behind their number and the length of the value

_SAME_AS_ARGUMENT = frozenset(
    {
        "any_value(anyelement)",
        "array_append(anycompatiblearray, anycompatible)",
        "array_remove(anycompatiblearray, anycompatible)",
        "array_replace(anycompatiblearray, anycompatible, anycompatible)",
        "array_reverse(anyarray)",
        "array_sample(anyarray, integer)",
        "array_shuffle(anyarray)",
        "array_sort(anyarray)",
        "first_value(anyelement)",
        "lag(anyelement)",
        "last_value(anyelement)",
        "lead(anyelement)",
        "max(anyarray)",
        "min(anyarray)",
        "nth_value(anyelement, integer)",
        "trim_array(anyarray, integer)",
    }
)


def output_dimensions(prover: Prover, node: Node, parent: Scope | None, index: int) -> int:
    """Give the number of dimensions of a column of a query, counted from 0."""
    query = prover.query(node)
    if query.set_operations is not None:
        arms = [arm.node.node("subquery") for arm in query.range_table if arm.kind == SUBQUERY]
        return max(output_dimensions(prover, arm, Scope(query, parent), index) for arm in arms)
    expression = query.outputs[index].expression
    if not is_array(prover, expression):
        return 1
    scope = queries.scope_of(prover, query, parent) if query.command == SELECT else returning.scope_of(prover, query, parent)
    return dimensions_of(prover, expression, scope)


def dimensions_of(prover: Prover, node: Node, scope: Scope) -> int:
    """Give the number of dimensions of an expression; 1 for what is no array, and for what is not known."""
    try:
        return _dimensions_of(prover, node, scope)
    except UNREADABLE:
        return 1


def _most(prover: Prover, nodes: Iterable[Node], scope: Scope) -> int:
    return max((dimensions_of(prover, node, scope) for node in nodes), default=1)


def _dimensions_of(prover: Prover, node: Node, scope: Scope) -> int:  # noqa: C901, PLR0912 - a case for each kind of node
    match node.tag:
        case "ARRAYEXPR":
            return 1 + _most(prover, node.nodes("elements"), scope) if node.flag("multidims") else 1
        case "AGGREF":
            rows = scope.up(node.number("agglevelsup")).row
            arguments = [entry.node("expr") for entry in node.nodes("args") if not entry.flag("resjunk")]
            return 1 if rows is None else _of_call(prover, node.number("aggfnoid"), arguments, rows)
        case "WINDOWFUNC":
            return _of_call(prover, node.number("winfnoid"), node.nodes("args"), scope)
        case "FUNCEXPR":
            return _of_call(prover, node.number("funcid"), node.nodes("args"), scope)
        case "OPEXPR":
            return _of_call(prover, node.number("opfuncid"), node.nodes("args"), scope)
        case "SUBLINK" if node.number("subLinkType") in (_SCALAR, _ARRAY):
            inner = node.node("subselect")
            found = output_dimensions(prover, inner, scope, 0)
            gathers = node.number("subLinkType") == _ARRAY and is_array(prover, prover.query(inner).outputs[0].expression)
            return found + 1 if gathers else found
        case "RELABELTYPE" | "ARRAYCOERCEEXPR" | "COLLATEEXPR" | "COERCETODOMAIN":
            return dimensions_of(prover, node.node("arg"), scope)
        case "COALESCEEXPR" | "MINMAXEXPR" | "NULLIFEXPR":
            return _most(prover, node.nodes("args"), scope)
        case "CASEEXPR":
            otherwise = node.optional("defresult")
            results = [branch.node("result") for branch in node.nodes("args")]
            return _most(prover, [*results, *([otherwise] if otherwise else [])], scope)
        case "SUBSCRIPTINGREF" if node.items("reflowerindexpr"):
            return dimensions_of(prover, node.node("refexpr"), scope)
        case "FIELDSELECT":
            return prover.facts.field_dimensions(type_of(prover, node.node("arg")), node.number("fieldnum"))
        case "CONST" if prover.facts.is_array(node.number("consttype")) and not node.flag("constisnull"):
            value = node.raw("constvalue")
            return max(int(str(value[_NDIM])), 1) if isinstance(value, list) else 1
        case "PARAM" if node.number("paramkind") == _EXTERNAL:
            return prover.param_dimensions.get(node.number("paramid"), 1)
        case "VAR":
            return _column(prover, node, scope.up(node.number("varlevelsup")))
        case _:
            return 1


def _of_call(prover: Prover, function: int, arguments: list[Node], scope: Scope) -> int:
    signature = prover.facts.function(function).signature
    if signature == "array_agg(anyarray)":
        return 1 + dimensions_of(prover, arguments[0], scope)
    if signature == "array_cat(anycompatiblearray, anycompatiblearray)":
        return _most(prover, arguments, scope)
    if signature == "array_prepend(anycompatible, anycompatiblearray)":
        return dimensions_of(prover, arguments[1], scope)
    if signature.startswith("array_fill(") and arguments[1].tag == "ARRAYEXPR":
        return max(len(arguments[1].nodes("elements")), 1)
    return dimensions_of(prover, arguments[0], scope) if signature.partition(", VARIADIC")[0] in _SAME_AS_ARGUMENT else 1


def column_dimensions(prover: Prover, relation: Relation, attribute: int) -> int:
    """Give the number of dimensions of a column of a table or view."""
    if relation.kind not in ("v", "m"):
        return relation.attributes[attribute].dimensions
    try:
        return output_dimensions(prover, prover.facts.view_query(relation.oid), None, attribute - 1)
    except UNREADABLE:
        return 1


def _column(prover: Prover, node: Node, at: Scope) -> int:
    """Follow a column to what it is declared with, or to the expression that makes it."""
    entry, attribute = at.query.entry(node.number("varno")), node.number("varattno")
    if attribute <= 0:
        return 1
    match entry.kind:
        case kind if kind == RELATION:
            return column_dimensions(prover, prover.facts.relation(entry.relation), attribute)
        case kind if kind == SUBQUERY:
            return output_dimensions(prover, entry.node.node("subquery"), at, attribute - 1)
        case kind if kind == CTE:
            item, scope = recursion.common_table(at, entry)
            return 1 if item.flag("cterecursive") else output_dimensions(prover, item.node("ctequery"), scope, attribute - 1)
        case kind if kind == GROUP and at.row is not None:
            return dimensions_of(prover, entry.node.nodes("groupexprs")[attribute - 1], at.row)
        case kind if kind == JOIN:
            source = entry.node.items("joinaliasvars")[attribute - 1]
            return dimensions_of(prover, source, at) if isinstance(source, Node) else 1
        case kind if kind == VALUES:
            return _most(prover, [row[attribute - 1] for row in at.query.values_rows(entry)], at)
        case _:
            return 1
