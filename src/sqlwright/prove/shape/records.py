"""The fields of anonymous records: Describe reports only `record`, the query tree shows the fields.

They are known only if a single expression makes every record: the arms of a UNION, CASE or COALESCE may differ in shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.queries.outputs import outputs, scope_of
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Nullability
from sqlwright.prove.shape.dimensions import dimensions_of, output_dimensions
from sqlwright.prove.tree.enums import BuiltinType, RTEKind, SubLinkType
from sqlwright.prove.tree.nodetree import UNREADABLE, Node


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field of an anonymous record: the OID of its type, its nullability, and its own fields if it is a record itself.

    `dimensions` are those of an array.
    """

    type: int
    dimensions: int
    nullability: Nullability
    fields: Fields


_UNKNOWN = Nullability(nullable=True, element_nullable=True)

Fields: TypeAlias = tuple[RecordField, ...] | None


def output_fields(prover: Prover, node: Node, parent: Scope | None) -> list[Fields]:
    """Return the fields of each column of a query that is an anonymous record or an array of such; else None."""
    query = prover.query(node)
    if query.set_operations is not None or not any(_is_record(prover, entry.expression) for entry in query.outputs):
        return [None] * len(query.outputs)
    scope = scope_of(prover, query, parent)
    return [fields_of(prover, entry.expression, scope) for entry in query.outputs]


def fields_of(prover: Prover, node: Node, scope: Scope) -> Fields:
    """Return the fields of an expression that is a record or an array of records."""
    try:
        return _fields_of(prover, node, scope) if _is_record(prover, node) else None
    except UNREADABLE:
        return None


def _is_record(prover: Prover, node: Node) -> bool:
    try:
        return type_of(prover.facts, node) in (BuiltinType.RECORD, BuiltinType.RECORD_ARRAY)
    except UNREADABLE:
        return False


def _fields_of(prover: Prover, node: Node, scope: Scope) -> Fields:
    match node.tag:
        case "ROWEXPR":
            return tuple(_field(prover, argument, scope) for argument in node.nodes("args"))
        case "FUNCEXPR":
            declared = prover.facts.output_types(node.number("funcid"))
            return tuple(RecordField(oid, 1, _UNKNOWN, None) for oid in declared) or None
        case "AGGREF" if prover.facts.function(node.number("aggfnoid")).signature == "array_agg(anynonarray)":
            rows = scope.up(node.number("agglevelsup")).row
            return None if rows is None else fields_of(prover, node.nodes("args")[0].node("expr"), rows)
        case "SUBLINK" if node.enum("subLinkType", SubLinkType) in (SubLinkType.EXPR, SubLinkType.ARRAY):
            return output_fields(prover, node.node("subselect"), scope)[0]
        case "VAR":
            return _column(prover, node, scope.up(node.number("varlevelsup")))
        case _:
            return None


def _field(prover: Prover, node: Node, scope: Scope) -> RecordField:
    verdict = prover.verdict(node, scope)
    dimensions = dimensions_of(prover, node, scope)
    return RecordField(type_of(prover.facts, node), dimensions, verdict.nullability, fields_of(prover, node, scope))


def _column(prover: Prover, node: Node, at: Scope) -> Fields:
    """Return the fields of a column, from the expression that makes it. A subquery's whole row is a record of its columns."""
    entry, attribute = at.query.entry(node.number("varno")), node.number("varattno")
    match entry.kind:
        case RTEKind.GROUP if at.row is not None:
            return fields_of(prover, entry.node.nodes("groupexprs")[attribute - 1], at.row)
        case RTEKind.JOIN if attribute > 0:
            source = entry.node.items("joinaliasvars")[attribute - 1]
            return fields_of(prover, source, at) if isinstance(source, Node) else None
        case RTEKind.SUBQUERY:
            inner, scope = entry.node.node("subquery"), at
        case RTEKind.CTE:
            item, scope = at.common_table(entry)
            if item.flag("cterecursive") or item.has("search_clause") or item.has("cycle_clause"):
                return None
            inner = item.node("ctequery")
        case _:
            return None
    fields = output_fields(prover, inner, scope)
    if attribute:
        return fields[attribute - 1]
    types = [type_of(prover.facts, entry.expression) for entry in prover.query(inner).outputs]
    return tuple(
        RecordField(oid, output_dimensions(prover, inner, scope, index), verdict.nullability, own)
        for index, (oid, verdict, own) in enumerate(zip(types, outputs(prover, inner, scope), fields, strict=True))
    )
