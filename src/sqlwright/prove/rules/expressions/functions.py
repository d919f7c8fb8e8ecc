"""Functions and operators, and the XML and JSON constructors."""

from __future__ import annotations

from sqlwright.prove.catalog.objects import Function
from sqlwright.prove.catalog.totals import ALWAYS, ANY_ARGUMENT, CASTING, FIRST_ARGUMENT, MONOTONIC_FIELDS, TOTAL
from sqlwright.prove.rules.expressions import setreturning
from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Nullability, Verdict, first_nullable, may_be_null, never_null
from sqlwright.prove.tree.enums import BuiltinType, JsonConstructorType, XmlExprOp
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import Node

_ELEMENTS_OF_ARGUMENT = frozenset(
    {
        "array_remove(anycompatiblearray, anycompatible)",
        "trim_array(anyarray, integer)",
        "array_shuffle(anyarray)",
        "array_sample(anyarray, integer)",
        "array_reverse(anyarray)",
        "array_sort(anyarray)",
    }
)
_ELEMENTS_OF_ALL = frozenset(
    {
        "array_cat(anycompatiblearray, anycompatiblearray)",
    }
)
_FULL_ARRAYS = frozenset(
    {
        "string_to_array(text, text)",
        "regexp_split_to_array(text, text)",
        "regexp_split_to_array(text, text, text)",
        "enum_range(anyenum)",
        "enum_range(anyenum, anyenum)",
        "array_positions(anycompatiblearray, anycompatible)",
        "array_fill(anyelement, integer[])",
    }
)


def function_call(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A function call, or a cast by a function."""
    function = prover.facts.function(node.number("funcid"))
    if function.returns_set:
        return setreturning.in_target_list(prover, node, scope)
    return call(prover, function, node.nodes("args"), scope, location(node), variadic=node.flag("funcvariadic"))


def operator(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """An operator is its function."""
    function = prover.facts.function(node.number("opfuncid"))
    if function.returns_set:
        return may_be_null("a set-returning operator may return NULL", location(node))
    return call(prover, function, node.nodes("args"), scope, location(node), variadic=False)


def operator_is_total(prover: Prover, node: Node) -> bool:
    """Return whether the operator of a comparison never returns NULL for values that are not NULL."""
    return prover.facts.function(node.number("opfuncid")).signature in TOTAL


def call(prover: Prover, function: Function, arguments: list[Node], scope: Scope, place: int | None, *, variadic: bool) -> Verdict:
    """Return the verdict on a call, by the tables in `totals`; users' functions may always return NULL."""
    verdicts = [prover.verdict(argument, scope) for argument in arguments]
    nullable = first_nullable(verdicts)
    holes = _element_nullable(function, verdicts)
    name = function.name
    if not function.builtin:
        # Not even a NOT NULL domain as its result helps: an SQL function without a row returns a NULL that is not checked.
        return may_be_null(f"`{name}` is not PostgreSQL's own function and may return NULL", place)
    if function.signature in ALWAYS and not variadic:
        return never_null(f"`{name}` never returns NULL", place, element_nullable=holes)
    if function.signature in FIRST_ARGUMENT and verdicts and not verdicts[0].nullable and not (variadic and nullable):
        return never_null(f"`{name}` returns NULL only when its first argument is NULL", place, element_nullable=holes)
    if function.signature in ANY_ARGUMENT and any(not v.nullable for v in verdicts):
        return never_null(f"`{name}` returns NULL only when all its arguments are NULL", place, element_nullable=holes)
    if name in ("extract", "date_part") and nullable is None and constant_text(arguments[0]) in MONOTONIC_FIELDS:
        return never_null(f"`{name}` has a value for every date, infinity included", place)
    if (
        function.signature in TOTAL
        or function.signature in ALWAYS
        or function.signature in FIRST_ARGUMENT
        or function.signature in ANY_ARGUMENT
        or (function.signature in CASTING and not any(prover.facts.has_cast_to_text(type_of(prover.facts, a)) for a in arguments))
    ):
        if nullable is None:
            return never_null(
                f"no argument of `{name}` is NULL" if arguments else f"`{name}` never returns NULL", place, element_nullable=holes
            )
        return nullable.without_row().with_elements(nullable=holes)
    if nullable is not None and function.strict:
        return nullable.without_row().with_elements(nullable=holes)
    return may_be_null(f"`{name}` may return NULL", place, element_nullable=holes)


def constant_text(node: Node) -> str | None:
    """Return the value of a text constant in lower case; None for anything else.

    Its bytes are the length, four bytes of header, and the characters.
    """
    value = (
        node.raw("constvalue")
        if node.tag == "CONST" and not node.flag("constisnull") and node.number("consttype") == BuiltinType.TEXT
        else None
    )
    if not isinstance(value, list):
        return None
    return bytes(int(str(byte)) & 0xFF for byte in value[5:]).decode("utf-8", errors="replace").lower()


def _element_nullable(function: Function, verdicts: list[Verdict]) -> bool:
    """Return whether an array that a built-in function returns may hold NULL."""
    signature = function.signature
    if signature in _FULL_ARRAYS:
        return bool(signature.startswith("array_fill") and verdicts[0].nullable)
    if signature in _ELEMENTS_OF_ARGUMENT:
        return verdicts[0].element_nullable
    if signature in _ELEMENTS_OF_ALL:
        return any(v.element_nullable for v in verdicts)
    if signature == "array_append(anycompatiblearray, anycompatible)":
        return verdicts[0].element_nullable or verdicts[1].nullable
    if signature == "array_prepend(anycompatible, anycompatiblearray)":
        return verdicts[0].nullable or verdicts[1].element_nullable
    return True


# --- constructors with their own nodes -------------------------------------------------------------------------------------


def xml(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """XML constructors: XMLELEMENT is always an element; XMLCONCAT and XMLFOREST need one part; the others pass NULL through."""
    operation, place = node.enum("op", XmlExprOp), location(node)
    parts = [prover.verdict(part, scope) for part in [*node.nodes("named_args"), *node.nodes("args")]]
    match operation:
        case XmlExprOp.XMLELEMENT:
            return never_null("XMLELEMENT is never NULL", place)
        case XmlExprOp.XMLCONCAT | XmlExprOp.XMLFOREST:
            if any(not part.nullable for part in parts):
                return never_null("one of the parts is never NULL", place)
            return may_be_null("all the parts may be NULL", place)
        case XmlExprOp.XMLPI if not parts:
            return never_null("XMLPI is never NULL", place)
        case XmlExprOp.XMLPARSE | XmlExprOp.XMLPI | XmlExprOp.XMLROOT | XmlExprOp.DOCUMENT if parts:
            return Verdict(Nullability(nullable=parts[0].nullable, element_nullable=True), parts[0].reason, place)
        case _:
            return may_be_null("the XML function may return NULL", place)


def xml_serialize(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """XMLSERIALIZE writes its argument out."""
    return prover.verdict(node.node("expr"), scope)


def json_constructor(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """JSON_OBJECT and JSON_ARRAY are never NULL; their aggregates are judged as aggregates; the others pass NULL through."""
    place = location(node)
    match node.enum("type", JsonConstructorType):
        case JsonConstructorType.OBJECT | JsonConstructorType.ARRAY:
            return never_null("JSON_OBJECT and JSON_ARRAY are never NULL", place)
        case JsonConstructorType.OBJECTAGG | JsonConstructorType.ARRAYAGG:
            return prover.verdict(node.node("func"), scope)
        case JsonConstructorType.PARSE | JsonConstructorType.SCALAR | JsonConstructorType.SERIALIZE:
            arguments = node.nodes("args")
            if arguments and prover.first_nullable(arguments, scope) is None:
                return never_null("its argument is never NULL", place)
            return may_be_null("the JSON function may return NULL", place)


def json_value(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A value on its way into a JSON constructor."""
    return prover.verdict(node.node("formatted_expr"), scope)
