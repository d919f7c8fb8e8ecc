"""How psycopg loads results: in which format, and which loaded values already match their annotation.

A query requests binary, unless text is faster for PostgreSQL and psycopg together and loses nothing: psycopg 3.3 reads a binary numeric by
arithmetic and its text by `Decimal(text)`, in a third of the time, while most other types are faster in binary. All columns of a result
share one format, so the gains and losses of the types are added up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlwright import ir
from sqlwright.types.pgtypes import BINARY_TYPES

# What the binary format saves per value, in nanoseconds of server and client together; `python -m benchmarks.formats` measures it.
# Types not listed are never requested in text for speed: a float8 is written with as many digits as extra_float_digits says, an interval in
# the session's style.
SAVED: Final = {
    "bool": 0,
    "bpchar": 0,
    "bytea": 15,
    "date": -15,
    "int2": 15,
    "int4": 15,
    "int8": 15,
    "json": 0,
    "jsonb": 0,
    "name": 0,
    "numeric": -200,
    "oid": 25,
    "text": 0,
    "time": 25,
    "timestamp": 25,
    "timestamptz": 95,
    "uuid": 45,
    "varchar": 0,
}
# A saving this small is negligible compared with the cost of a row, and binary depends on no setting.
_NOT_WORTH_IT: Final = 50


def reads_binary(columns: Iterable[ir.Column]) -> bool:
    """Return whether psycopg has a binary loader for every column without registration; all columns of a result share one format."""
    return all(is_binary(column.type) for column in columns)


def is_binary(found: ir.Type) -> bool:
    """Return whether psycopg has a binary loader for a type without registration."""
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


def asks_binary(columns: Iterable[ir.Column]) -> bool:
    """Return whether a query requests the binary format."""
    given = tuple(columns)
    if not reads_binary(given):
        return False
    saved = [_saved(column.type) for column in given]
    return None in saved or sum(value or 0 for value in saved) >= -_NOT_WORTH_IT


def _saved(found: ir.Type) -> int | None:
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value) | ir.Overridden(value=value):
            return _saved(value)
        case ir.Scalar(postgres=name) | ir.Json(postgres=name) | ir.TypedJson(postgres=name):
            return SAVED.get(name)
        case _:
            return None


def without_records(found: ir.Type) -> ir.Type:
    """Return the type for a result in the text format, in which an anonymous record does not carry the types of its fields."""
    match found:
        case ir.Nullable(value=value):
            inner = without_records(value)
            return found if inner == value or isinstance(inner, ir.Nullable) else ir.Nullable(inner)
        case ir.RecordOf(postgres=postgres) | ir.ListOf(postgres=postgres, element=ir.RecordOf() | ir.Nullable(value=ir.RecordOf())):
            return ir.Opaque(postgres)
        case _:
            return found


def is_converted(found: ir.Type) -> bool:
    """Return whether the value psycopg loads must be converted or checked to match its annotation."""
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
