"""PostgreSQL's built-in types: their names, and the Python class that psycopg 3 loads each of them to.

Source of the classes: psycopg's documentation, "Adapting basic Python types"; each is held up by a round-trip test.
"""

from __future__ import annotations

from sqlwright.ir import Scalar

# By the name in pg_type.
_PYTHON_CLASSES = {
    "bool": ("", "bool"),
    "bpchar": ("", "str"),
    "bytea": ("", "bytes"),
    "char": ("", "str"),
    "date": ("datetime", "date"),
    "float4": ("", "float"),
    "float8": ("", "float"),
    "int2": ("", "int"),
    "int4": ("", "int"),
    "int8": ("", "int"),
    "interval": ("datetime", "timedelta"),
    "name": ("", "str"),
    "numeric": ("decimal", "Decimal"),
    "oid": ("", "int"),
    "text": ("", "str"),
    "time": ("datetime", "time"),
    "timestamp": ("datetime", "datetime"),
    "timestamptz": ("datetime", "datetime"),
    "timetz": ("datetime", "time"),
    "uuid": ("uuid", "UUID"),
    "varchar": ("", "str"),
}

# The spellings that the SQL grammar gives to types, for comparing what sqlc says with what PostgreSQL says.
_ALIASES = {
    "bigint": "int8",
    "bigserial": "int8",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "decimal": "numeric",
    "double precision": "float8",
    "float": "float8",
    "int": "int4",
    "integer": "int4",
    "real": "float4",
    "serial": "int4",
    "serial2": "int2",
    "serial4": "int4",
    "serial8": "int8",
    "smallint": "int2",
    "smallserial": "int2",
    "string": "text",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}


def scalar(name: str) -> Scalar | None:
    """Give the scalar of a built-in type by its name in pg_type, or None where no single Python class stands for it."""
    known = _PYTHON_CLASSES.get(name)
    return Scalar(name, *known) if known else None


def canonical_name(spelling: str) -> str:
    """Give pg_type's name for a type as SQL may spell it: `integer[]` is `int4[]`."""
    element = spelling.rstrip("[]")
    name = element.removeprefix("pg_catalog.").lower().strip('"')
    return _ALIASES.get(name, name) + spelling[len(element) :]
