"""How values travel between PostgreSQL and Python in generated code: what psycopg loads by itself, and what is converted."""

from __future__ import annotations

from collections.abc import Container

from sqlwright import ir
from sqlwright.types.valuetypes import holds_arrays, holds_interval, is_box, parts

# Names in the generated adapters module: the function that checks that a value was loaded, the one that makes a cursor load
# intervals without loss, the class of exact intervals, and what validates JSON.
REGISTERED = "registered"
KEEP_INTERVALS = "keep_intervals"
INTERVAL = "Interval"
LOAD_JSON = "load_json"
DUMP_JSON = "dump_json"
HSTORE_TEXT = "hstore_text"
VECTOR_TEXT = "vector_text"
BOXES_TEXT = "boxes_text"
ARRAY_TEXT = "array_text"


def free_name(wanted: str, taken: Container[str]) -> str:
    """Return the wanted name, with trailing underscores as long as it is taken."""
    while wanted in taken:
        wanted += "_"
    return wanted


def json_alias(package: ir.Package) -> str:
    """Return the name of the JSON alias in the package's models: `JsonValue`, unless a class of the schema has that name."""
    return free_name("JsonValue", {*(model.name for model in package.models), *(enum.name for enum in package.enums)})


def columns_of(shape: ir.Shape) -> tuple[ir.Column, ...]:
    """Return the result columns of a shape, in order."""
    return (shape.column,) if isinstance(shape, ir.BareValue) else ir.columns_in(shape.fields)


def result_types(query: ir.Query) -> tuple[ir.Type, ...]:
    """Return the types of a query's result columns: those of its function's values, or of the cursor that the function returns."""
    if isinstance(query.result, ir.CursorResult):
        return query.result.types
    shape = ir.shape_of(query.result)
    return () if shape is None else tuple(column.type for column in columns_of(shape))


def innermost(found: ir.Type) -> ir.ValueType:
    """Return the type without `Nullable`, lists and domains around it."""
    match found:
        case ir.Nullable(value=inner) | ir.ListOf(element=inner) | ir.DomainRef(value=inner):
            return innermost(inner)
        case _:
            return found


def holds_json(found: ir.Type) -> bool:
    """Return whether a type needs the JSON alias."""
    return any(isinstance(part, ir.Json) for part in parts(found))


def keeps_intervals(query: ir.Query) -> bool:
    """Return whether the cursor of a query must be prevented from loading intervals with a loss."""
    return any(holds_interval(found) for found in result_types(query)) or (
        isinstance(query.result, ir.CursorResult) and query.result.intervals
    )


def is_scalar_enum(found: ir.Type) -> bool:
    """Return whether a type is an enum itself, which psycopg loads as text or, where it is registered, as a member."""
    return isinstance(found.value if isinstance(found, ir.Nullable) else found, ir.EnumRef)


def has_own_conversion(found: ir.Type) -> bool:
    """Return whether values inside an array are converted one by one, psycopg having loaded them."""
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value) | ir.ListOf(element=value):
            return has_own_conversion(value)
        case ir.Overridden() | ir.TypedJson():
            return True
        case _:
            return False


def is_float(found: ir.Type) -> bool:
    """Return whether a type is a floating-point number, for which Python's type checkers accept an `int`."""
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value):
            return is_float(value)
        case ir.Scalar(postgres=postgres):
            return postgres in {"float4", "float8"}
        case _:
            return False


def is_dumped(found: ir.Type) -> bool:
    """Return whether a parameter is converted before psycopg sends it."""
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value):
            return is_dumped(value)
        case ir.ListOf(element=element):
            return is_dumped(element) or is_box(element) or is_float(element) or holds_arrays(found)
        case ir.Json() | ir.TypedJson() | ir.CompositeRef() | ir.ExactInterval() | ir.Hstore() | ir.Vector():
            return True
        case ir.Overridden(value=value, dump=dump):
            return dump is not None or is_dumped(value)
        case ir.Scalar() | ir.EnumRef() | ir.UnionOf() | ir.RangeOf() | ir.RecordOf() | ir.Opaque():
            return False
