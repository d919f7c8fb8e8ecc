"""PostgreSQL's types and what they are in Python: the one table that code and documentation are made from.

Each line was found by experiment with psycopg 3.3 on PostgreSQL 18 (extensions on 15), and a round-trip test of every type holds it up.
"""

from __future__ import annotations

from sqlwright import ir

_STR = ("", "str")
_INT = ("", "int")
_DATETIME = ("datetime", "datetime")

# By the name in pg_type. What psycopg has no class for is its text form, as `str`: both directions lose nothing, and a cast in the query
# gives another form.
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

# Types that psycopg reads in binary without registration, to the same value as in text. Left out on purpose: float4, whose binary form
# 0.10000000149011612 is text 0.1, so that a column's value would depend on what else its query selects; "char", whose text form of a NUL
# is "" and of a high byte an escape.
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

# Built-in types whose arrays psycopg does not know: they are registered as those of the schema are.
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


# What a reader should know of a type beside its class.
NOTES = {
    "bit": "zeros and ones",
    "date": "`infinity` raises `psycopg.DataError`: a `date` ends with the year 9999",
    "hstore": "registered",
    "inet": "an address with a netmask is an interface",
    "int2vector": "numbers with spaces between",
    "interval": "one with months raises `psycopg.DataError`; by `intervals: exact`, the package's `Interval(months, days, microseconds)`",
    "json": "or a type that pydantic validates: `-- @json column: package.Type`, or the option `json`",
    "jsonb": "as json",
    "money": "as `lc_monetary` writes it",
    "numeric": "NaN and infinities are those of `Decimal`",
    "regclass": "the name; a cast to oid gives the number",
    "timestamp": "without a zone; `infinity` raises `psycopg.DataError`",
    "timestamptz": "with the session's zone; `infinity` raises `psycopg.DataError`",
    "vector": "registered; a dense vector",
    "halfvec": "registered; a dense vector",
    "void": "the empty string; use `:exec`",
    "xid": "text, as all counters of transactions",
}


def builtin(name: str) -> ir.ValueType | None:
    """Return the IR type of a built-in type that is no array, by its name in pg_type; None for one that has no Python type."""
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
    """Return whether arrays of a built-in type must be registered to be loaded; None where they cannot be used at all."""
    return None if name in _NO_ARRAYS else name in _UNKNOWN_ARRAYS


def of_extension(extension: str, name: str, postgres: str) -> ir.ValueType | None:
    """Return the IR type of an extension's type; `postgres` is how casts write it. None for one that is not known here."""
    if (extension, name) in _TEXT_OF_EXTENSIONS:
        return ir.Scalar(postgres, *_STR)
    if (extension, name) in _VECTORS:
        return ir.Vector(postgres)
    return ir.Hstore(postgres) if (extension, name) == ("hstore", "hstore") else None


def scalar(name: str) -> ir.Scalar | None:
    """Return the scalar of a built-in type by its name in pg_type, or None where no single Python class stands for it."""
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
    """Return pg_type's name for a type as SQL may spell it: `integer[]` is `int4[]`."""
    element = spelling.rstrip("[]")
    name = element.removeprefix("pg_catalog.").lower().strip('"')
    return _ALIASES.get(name, name) + spelling[len(element) :]
