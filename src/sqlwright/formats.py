"""What psycopg makes of results: in which format it reads them, and which values are then as they are promised."""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright import ir
from sqlwright.pgtypes import BINARY_TYPES


def reads_binary(columns: Iterable[ir.Column]) -> bool:
    """Tell whether psycopg has a binary loader for every column without registration; the format is one for all columns of a result."""
    return all(is_binary(column.type) for column in columns)


def is_binary(found: ir.Type) -> bool:
    """Tell whether psycopg has a binary loader for a type without registration."""
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value) | ir.Overridden(value=value):
            return is_binary(value)
        case ir.ListOf(element=element, registered=False):
            return is_binary(element)
        case ir.RecordOf(fields=fields):
            return all(is_binary(field) for field in fields)
        case ir.RangeOf(registered=False) | ir.Scalar() | ir.Json() | ir.UnionOf() | ir.TypedJson() | ir.ExactInterval():
            return found.postgres in BINARY_TYPES
        case ir.ListOf() | ir.RangeOf() | ir.EnumRef() | ir.CompositeRef() | ir.Hstore() | ir.Vector() | ir.Opaque():
            return False


def without_records(found: ir.Type) -> ir.Type:
    """Give the type for a result in the text format, in which an anonymous record says nothing of the types of its fields."""
    match found:
        case ir.Nullable(value=value):
            inner = without_records(value)
            return found if inner == value or isinstance(inner, ir.Nullable) else ir.Nullable(inner)
        case ir.RecordOf(postgres=postgres) | ir.ListOf(postgres=postgres, element=ir.RecordOf() | ir.Nullable(value=ir.RecordOf())):
            return ir.Opaque(postgres)
        case _:
            return found


def is_converted(found: ir.Type) -> bool:
    """Tell whether what psycopg gives is not yet the annotated value, or must be checked to be it."""
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value):
            return is_converted(value)
        case ir.ListOf(element=element, registered=registered):
            return registered or is_converted(element)
        case ir.EnumRef() | ir.CompositeRef() | ir.Hstore() | ir.Vector() | ir.Overridden() | ir.TypedJson():
            return True
        case ir.RangeOf(registered=registered):
            return registered
        case ir.Scalar() | ir.Json() | ir.UnionOf() | ir.ExactInterval() | ir.RecordOf() | ir.Opaque():
            return False
