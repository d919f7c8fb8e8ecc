"""The type of an expression in a query tree."""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.enums import BuiltinType, SubLinkType
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Unrecognised
from sqlwright.prove.tree.querytree import Query

# The fields that hold the type of a node's value.
_TYPE_FIELDS = {
    "AGGREF": "aggtype",
    "ARRAYCOERCEEXPR": "resulttype",
    "ARRAYEXPR": "array_typeid",
    "CASEEXPR": "casetype",
    "COALESCEEXPR": "coalescetype",
    "COERCETODOMAIN": "resulttype",
    "COERCEVIAIO": "resulttype",
    "CONST": "consttype",
    "DISTINCTEXPR": "opresulttype",
    "FIELDSELECT": "resulttype",
    "FUNCEXPR": "funcresulttype",
    "MINMAXEXPR": "minmaxtype",
    "NULLIFEXPR": "opresulttype",
    "OPEXPR": "opresulttype",
    "PARAM": "paramtype",
    "RELABELTYPE": "resulttype",
    "ROWEXPR": "row_typeid",
    "SQLVALUEFUNCTION": "type",
    "SUBSCRIPTINGREF": "refrestype",
    "VAR": "vartype",
    "WINDOWFUNC": "wintype",
}
_BOOLEANS = frozenset({"BOOLEANTEST", "BOOLEXPR", "NULLTEST", "SCALARARRAYOPEXPR"})


def type_of(facts: SchemaFacts, node: Node) -> int:
    """Return the OID of the type of an expression.

    Raises:
        Unrecognised: the expression is of a kind whose type is not known here.
    """
    match node.tag:
        case "SUBLINK":
            return _type_of_sublink(facts, node)
        case "COLLATEEXPR" | "NAMEDARGEXPR":
            return type_of(facts, node.node("arg"))
        case "GROUPINGFUNC":
            return BuiltinType.INT4
        case tag if tag in _BOOLEANS:
            return BuiltinType.BOOL
        case tag if tag in _TYPE_FIELDS:
            return node.number(_TYPE_FIELDS[tag])
        case tag:
            raise Unrecognised(f"the type of {tag}")


def _type_of_sublink(facts: SchemaFacts, node: Node) -> int:
    kind = node.enum("subLinkType", SubLinkType)
    if kind in (SubLinkType.EXISTS, SubLinkType.ALL, SubLinkType.ANY):
        return BuiltinType.BOOL
    if kind not in (SubLinkType.EXPR, SubLinkType.ARRAY):
        raise Unrecognised("the type of a subquery that sets several columns")
    inner = type_of(facts, Query(node.node("subselect")).outputs[0].expression)
    if kind is SubLinkType.EXPR:
        return inner
    # ARRAY over a subquery of arrays makes an array of more dimensions, of the same type.
    return facts.type(inner).array or inner


def types_may_agree(facts: SchemaFacts, left: Node, right: Node) -> bool:
    """Return whether two expressions are of the same type, as far as that is known here."""
    try:
        return type_of(facts, left) == type_of(facts, right)
    except UNREADABLE:
        return True


def is_array(facts: SchemaFacts, node: Node) -> bool | None:
    """Return whether an expression is an array; None where its type is not known here."""
    try:
        return facts.is_array(type_of(facts, node))
    except UNREADABLE:
        return None
