"""PostgreSQL's types and their Python types: the one table that code and documentation are generated from.

Each line was established by experiment with psycopg 3.3 on PostgreSQL 18 (extensions on 15), and a round-trip test covers every type.
"""

from __future__ import annotations

from sqlwright import ir

_STR = ("", "str")
_INT = ("", "int")
_DATETIME = ("datetime", "datetime")

# By name in pg_type. A type without a class in psycopg is its text form, as `str`: lossless in both directions, and a cast in the query
# yields another form.
_PYTHON_CLASSES = {
    "aclitem": _STR,
    "bit": _STR,
    "bool": ("", "bool"),
    "box": _STR,
    "bpchar": _STR,
    "bytea": ("", "bytes"),
    "char": _STR,
    "cid": _STR,
    "circle": _STR,
    "date": ("datetime", "date"),
    "float4": ("", "float"),
    "float8": ("", "float"),
    "int2": _INT,
    "int2vector": _STR,
    "int4": _INT,
    "int8": _INT,
    "interval": ("datetime", "timedelta"),
    "jsonpath": _STR,
    "line": _STR,
    "lseg": _STR,
    "macaddr": _STR,
    "macaddr8": _STR,
    "money": _STR,
    "name": _STR,
    "numeric": ("decimal", "Decimal"),
    "oid": _INT,
    "oidvector": _STR,
    "path": _STR,
    "pg_lsn": _STR,
    "pg_snapshot": _STR,
    "point": _STR,
    "polygon": _STR,
    "refcursor": _STR,
    "regclass": _STR,
    "regcollation": _STR,
    "regconfig": _STR,
    "regdictionary": _STR,
    "regnamespace": _STR,
    "regoper": _STR,
    "regoperator": _STR,
    "regproc": _STR,
    "regprocedure": _STR,
    "regrole": _STR,
    "regtype": _STR,
    "text": _STR,
    "tid": _STR,
    "time": ("datetime", "time"),
    "timestamp": _DATETIME,
    "timestamptz": _DATETIME,
    "timetz": ("datetime", "time"),
    "tsquery": _STR,
    "tsvector": _STR,
    "txid_snapshot": _STR,
    "uuid": ("uuid", "UUID"),
    "varbit": _STR,
    "varchar": _STR,
    "void": _STR,
    "xid": _STR,
    "xid8": _STR,
    "xml": _STR,
}

# An address without a netmask is an address, one with a netmask is an interface.
_UNIONS = {
    "cidr": ("IPv4Network", "IPv6Network"),
    "inet": ("IPv4Address", "IPv6Address", "IPv4Interface", "IPv6Interface"),
}

_RANGES = {
    "daterange": "date",
    "int4range": "int4",
    "int8range": "int8",
    "numrange": "numeric",
    "tsrange": "timestamp",
    "tstzrange": "timestamptz",
}
_MULTIRANGES = {name.replace("range", "multirange"): element for name, element in _RANGES.items()}

# Types that psycopg reads in binary without registration, with the same value as in text. Deliberately absent: float4, whose binary form
# 0.10000000149011612 is 0.1 in text, so that a column's value would depend on what else its query selects; and "char", whose text form of
# a NUL is "" and of a high byte an escape.
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
        *_UNIONS,
        *_RANGES,
        *_MULTIRANGES,
    }
)

# Built-in types whose arrays psycopg does not know: they are registered like those of the schema.
_UNKNOWN_ARRAYS = frozenset({"pg_snapshot"})

_NO_ARRAYS = frozenset({"void"})

# Types of extensions, by (extension, name).
_TEXT_OF_EXTENSIONS = frozenset(
    {
        ("citext", "citext"),
        ("cube", "cube"),
        *(("isn", name) for name in ("ean13", "isbn", "isbn13", "ismn", "ismn13", "issn", "issn13", "upc")),
        ("ltree", "lquery"),
        ("ltree", "ltree"),
        ("ltree", "ltxtquery"),
        ("seg", "seg"),
        ("vector", "sparsevec"),
    }
)
_VECTORS = frozenset({("vector", "halfvec"), ("vector", "vector")})


# The SQL grammar's spellings of types, for comparing sqlc's types with PostgreSQL's.
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


# What a reader should know about a type apart from its class.
NOTES = {
    "bit": "zeros and ones",
    "date": "`infinity` raises `psycopg.DataError`: a `date` cannot exceed the year 9999",
    "hstore": "registered",
    "inet": "an address with a netmask is an interface",
    "int2vector": "numbers separated by spaces",
    "interval": "one with months raises `psycopg.DataError`; with `intervals: exact`, the package's `Interval(months, days, microseconds)`",
    "json": "or a type that pydantic validates: `-- @json column: package.Type`, or the option `json`",
    "jsonb": "as json",
    "money": "formatted according to `lc_monetary`",
    "numeric": "NaN and infinities are those of `Decimal`",
    "regclass": "the name; cast to oid for the number",
    "timestamp": "without time zone; `infinity` raises `psycopg.DataError`",
    "timestamptz": "in the session's time zone; `infinity` raises `psycopg.DataError`",
    "vector": "registered; a dense vector",
    "halfvec": "registered; a dense vector",
    "void": "the empty string; use `:exec`",
    "xid": "text, like all transaction counters",
}


def builtin(name: str) -> ir.ValueType | None:
    """Return the IR type of a built-in type that is not an array, by its name in pg_type; None if it has no Python type."""
    if name in {"json", "jsonb"}:
        return ir.Json(name)
    if name in _UNIONS:
        return ir.UnionOf(name, tuple(ir.Scalar(name, "ipaddress", member) for member in _UNIONS[name]))
    if name in _RANGES:
        return ir.RangeOf(name, scalar_of(_RANGES[name]), multiple=False, registered=False)
    if name in _MULTIRANGES:
        return ir.RangeOf(name, scalar_of(_MULTIRANGES[name]), multiple=True, registered=False)
    return scalar(name)


def builtin_array_is_registered(name: str) -> bool | None:
    """Return whether arrays of a built-in type must be registered to be loaded; None if they cannot be used at all."""
    return None if name in _NO_ARRAYS else name in _UNKNOWN_ARRAYS


def of_extension(extension: str, name: str, postgres: str) -> ir.ValueType | None:
    """Return the IR type of an extension's type, None if it is not known; `postgres` is its name as casts write it."""
    if (extension, name) in _TEXT_OF_EXTENSIONS:
        return ir.Scalar(postgres, *_STR)
    if (extension, name) in _VECTORS:
        return ir.Vector(postgres)
    return ir.Hstore(postgres) if (extension, name) == ("hstore", "hstore") else None


def scalar(name: str) -> ir.Scalar | None:
    """Return the scalar of a built-in type by its name in pg_type, or None if no single Python class represents it."""
    known = _PYTHON_CLASSES.get(name)
    return ir.Scalar(name, *known) if known else None


def scalar_of(name: str) -> ir.Scalar:
    """Return the scalar of a type that has one."""
    return ir.Scalar(name, *_PYTHON_CLASSES[name])


def names() -> tuple[str, ...]:
    """The built-in types that have a Python type, sorted."""
    return tuple(sorted({"json", "jsonb", *_PYTHON_CLASSES, *_UNIONS, *_RANGES, *_MULTIRANGES}))


def names_of_extensions() -> tuple[tuple[str, str], ...]:
    """The extensions' types that have a Python type, as (extension, name), sorted."""
    return tuple(sorted({*_TEXT_OF_EXTENSIONS, *_VECTORS, ("hstore", "hstore")}))


def canonical_name(spelling: str) -> str:
    """Return pg_type's name for a type in any of SQL's spellings: `int4[]` for `integer[]`."""
    element = spelling.rstrip("[]")
    name = element.removeprefix("pg_catalog.").lower().strip('"')
    return _ALIASES.get(name, name) + spelling[len(element) :]
