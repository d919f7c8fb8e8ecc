"""How values travel between PostgreSQL and Python in generated code: what psycopg loads by itself, in which format, and what not.

The table of binary types was measured with psycopg 3.3 on PostgreSQL 18, and a test holds it up: for each of them the binary and the text
loader give the same value, alone and inside an array, on a connection where nothing is registered.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from sqlwright import ir

# By the name in pg_type. Left out on purpose: float4, whose binary form 0.10000000149011612 is text 0.1, so that a column's value would
# depend on what else its query selects; "char", whose text form of a NUL is "" and of a high byte an escape.
BINARY_TYPES = frozenset(
    {
        "bool",
        "bpchar",
        "bytea",
        "date",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "json",
        "jsonb",
        "name",
        "numeric",
        "oid",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "uuid",
        "varchar",
    }
)

# The function in the generated enums module that passes on a loaded enum array.
ENUM_ARRAY = "enum_array"


def free_name(wanted: str, taken: Container[str]) -> str:
    """Give the wanted name, with trailing underscores as long as it is taken."""
    while wanted in taken:
        wanted += "_"
    return wanted


def json_alias(package: ir.Package) -> str:
    """The name of the JSON alias in the package's models: `JsonValue`, unless a class of the schema has that name."""
    return free_name("JsonValue", {*(model.name for model in package.models), *(enum.name for enum in package.enums)})


def columns_of(shape: ir.Shape) -> tuple[ir.Column, ...]:
    """The result columns of a shape, in order."""
    return (shape.column,) if isinstance(shape, ir.BareValue) else ir.columns_in(shape.fields)


def result_types(query: ir.Query) -> tuple[ir.Type, ...]:
    """The types of a query's result columns that its function gives out as values."""
    shape = ir.shape_of(query.result)
    return () if shape is None else tuple(column.type for column in columns_of(shape))


def innermost(found: ir.Type) -> ir.ValueType:
    """The type without `Nullable` and lists around it."""
    match found:
        case ir.Nullable(value=inner) | ir.ListOf(element=inner):
            return innermost(inner)
        case _:
            return found


def holds_json(found: ir.Type) -> bool:
    """Tell whether a type needs the JSON alias."""
    return isinstance(innermost(found), ir.Json)


def is_scalar_enum(found: ir.Type) -> bool:
    """Tell whether a type is an enum itself, which psycopg loads as text or, where it is registered, as a member."""
    return isinstance(found.value if isinstance(found, ir.Nullable) else found, ir.EnumRef)


def is_enum_array(found: ir.Type) -> bool:
    """Tell whether psycopg can load a type only where its enum is registered."""
    return isinstance(innermost(found), ir.EnumRef) and not is_scalar_enum(found)


def reads_binary(columns: Iterable[ir.Column]) -> bool:
    """Tell whether psycopg has a binary loader for every column without registration; the format is one for all columns of a result."""
    return all(_type_name(innermost(column.type)) in BINARY_TYPES for column in columns)


def _type_name(value: ir.ValueType) -> str:
    return value.postgres if isinstance(value, ir.Scalar | ir.Json) else ""


def is_converted(found: ir.Type) -> bool:
    """Tell whether what psycopg gives is not yet the annotated value."""
    return isinstance(innermost(found), ir.EnumRef)
