"""`:copyfrom`: the COPY that is sent, and the formats of its values."""

from __future__ import annotations

from collections.abc import Sequence

from sqlwright import ir

# Types whose binary dumpers silently truncate a number that is too large (psycopg 3.3), where PostgreSQL refuses its text: generated code
# checks each value first. Their arrays, oid and float4 are sent as text.
CUT_SHORT = frozenset({"int2", "int4"})

# Types that psycopg dumps in PostgreSQL's binary format given only the type, by their names in pg_type; the same for their arrays. A test
# copies values of each.
_BINARY = frozenset(
    {
        "bool",
        "bytea",
        "date",
        "float8",
        "int8",
        "interval",
        "json",
        "jsonb",
        "numeric",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "uuid",
        "varchar",
    }
)


def copy_sql(copied: ir.CopiedColumns, *, binary: bool) -> str:
    """Return the COPY statement."""
    return f"COPY {copied.table} ({', '.join(copied.columns)}) FROM STDIN{' (FORMAT BINARY)' if binary else ''}"


def binary_types(types: Sequence[ir.Type]) -> tuple[str, ...]:
    """Return psycopg's names of the types in the binary format, or none if one type lacks it: all columns share one format."""
    names = tuple(_binary_type(found.value if isinstance(found, ir.Nullable) else found) for found in types)
    return names if all(names) else ()


def _binary_type(found: ir.ValueType) -> str:
    match found:
        case ir.EnumRef():
            # Enums and padded strings are sent as their text in the binary format too.
            return "text"
        case ir.Scalar(postgres="bpchar"):
            return "text"
        case ir.Scalar(postgres=name) | ir.Json(postgres=name) if name in _BINARY | CUT_SHORT:
            return name
        case ir.DomainRef(value=value):
            return _binary_type(value)
        case ir.ListOf(element=element):
            inner = element.value if isinstance(element, ir.Nullable) else element
            return f"{inner.postgres}[]" if isinstance(inner, ir.Scalar | ir.Json) and inner.postgres in _BINARY else ""
        case _:
            return ""
