"""Values of PostgreSQL's types for calling functions with: the ends of each type's range, the empty, the infinite and the ordinary."""

from __future__ import annotations

import random

POOLS: dict[str, tuple[str, ...]] = {
    '"char"': ("'a'", "'z'"),
    "anyarray": ("ARRAY[1,2,3]", "'{}'::int[]", "ARRAY[NULL,1]::int[]", "'[5:6]={7,8}'::int[]", "ARRAY[[1,2],[3,4]]"),
    "anycompatible": ("1", "2", "0"),
    "anycompatiblearray": ("ARRAY[1,2,3]", "'{}'::int[]", "ARRAY[2,NULL]::int[]"),
    "anyelement": ("1", "0", "-7"),
    "anyenum": ("'sad'::pg_temp.mood", "'happy'::pg_temp.mood"),
    "anymultirange": ("'{}'::int4multirange", "'{[1,3),[5,7)}'::int4multirange", "'{(,)}'::int4multirange"),
    "anynonarray": ("1", "'x'::text", "true"),
    "anyrange": ("'empty'::int4range", "'[1,5)'::int4range", "'(,)'::int4range", "'[3,)'::int4range"),
    "bigint": ("0", "1", "-1", "2", "33", "9223372036854775807", "-9223372036854775808"),
    "bit": ("B''", "B'1'", "B'1010'"),
    "bit varying": ("B''::varbit", "B'1'::varbit", "B'1010'::varbit"),
    "boolean": ("true", "false"),
    "box": ("'(0,0),(1,1)'", "'(5,5),(6,6)'", "'(0,0),(0,0)'"),
    "bytea": (r"'\x'", r"'\x00'", r"'\x616263'"),
    "character": ("''", "'a'", "'abc  '"),
    "character varying": ("''", "'a'", "'abc'"),
    "cidr": ("'10.0.0.0/8'", "'::1/128'"),
    "circle": ("'<(0,0),1>'", "'<(5,5),0>'"),
    "date": ("'2024-02-29'", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'0001-01-01'"),
    "daterange": ("'empty'", "'[2024-01-01,2024-02-01)'", "'(,)'"),
    "daterange[]": ("'{}'", "ARRAY['[2024-01-01,2024-02-01)']::daterange[]"),
    "double precision": ("0", "1", "-1", "0.5", "'NaN'", "'Infinity'", "'-Infinity'", "1e300", "1e-300"),
    "inet": ("'10.0.0.1'", "'10.0.0.0/8'", "'::1'"),
    "int4multirange": ("'{}'", "'{[1,3),[5,7)}'"),
    "int4range": ("'empty'", "'[1,5)'", "'(,)'"),
    "int4range[]": ("'{}'", "ARRAY['[1,5)']::int4range[]"),
    "int8range": ("'empty'", "'[1,5)'", "'(,)'"),
    "int8range[]": ("'{}'", "ARRAY['[1,5)']::int8range[]"),
    "integer": ("0", "1", "-1", "2", "7", "2147483647", "(-2147483648)"),
    "integer[]": ("'{}'", "'{1}'", "'{2,3}'"),
    "interval": ("'0'", "'1 day'", "'-3 months 2 hours'", "'100 years'"),
    "json": ("'null'", "'{}'", "'[]'", "'1'", "'\"a\"'", '\'{"a":null,"b":[1,{}]}\''),
    "jsonb": ("'null'", "'{}'", "'[]'", "'1'", "'\"a\"'", "'true'", '\'{"a":null,"b":[1,{}]}\''),
    "line": ("'{1,2,3}'", "'{0,1,0}'", "'{1,0,0}'"),
    "lseg": ("'[(0,0),(1,1)]'", "'[(0,1),(1,0)]'", "'[(5,5),(5,5)]'"),
    "macaddr": ("'08:00:2b:01:02:03'", "'00:00:00:00:00:00'"),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'", "'00:00:00:ff:fe:00:00:00'"),
    "money": ("'0'", "'1.23'", "'-5'"),
    "name": ("''", "'utf8'", "'a'"),
    "numeric": ("0", "1", "-1", "0.5", "'NaN'", "'Infinity'", "'-Infinity'", "1e100", "123.4500"),
    "numrange": ("'empty'", "'[1,5)'", "'(,)'"),
    "numrange[]": ("'{}'", "ARRAY['[1,5)']::numrange[]"),
    "oid": ("0", "1", "26"),
    "path": ("'[(0,0),(1,1)]'", "'((0,0),(1,1),(2,0))'"),
    "point": ("'(0,0)'", "'(1,2)'", "'(NaN,1)'", "'(Infinity,0)'"),
    "polygon": ("'((0,0),(1,1),(2,0))'", "'((5,5))'"),
    "real": ("0", "1", "-1", "0.5", "'NaN'", "'Infinity'", "1e30"),
    "record": ("ROW(1, 'a'::text)", "ROW(2, NULL::text)"),
    "regclass": ("'pg_temp.counter'",),
    "regconfig": ("'simple'", "'english'"),
    "smallint": ("0", "1", "-1", "7", "32767", "(-32768)"),
    "text": (
        "''",
        "'a'",
        "'abc'",
        "'a,b'",
        "' '",
        "'day'",
        "'YYYY'",
        "'hex'",
        "'UTC'",
        "'%s'",
        "'.*'",
        "'é'",
        "'NFC'",
        "'application_name'",
        "'hour'",
        "'[)'",
        "'i'",
        "'latin1'",
    ),
    "text[]": ("'{}'", "'{a}'", "'{a,b}'", "'{b,0}'"),
    "time with time zone": ("'00:00+00'", "'23:59:59.999+05:30'", "'24:00+00'"),
    "time without time zone": ("'00:00'", "'23:59:59.999'", "'24:00'"),
    "timestamp with time zone": ("'2024-02-29 12:00+00'", "'infinity'", "'-infinity'", "'epoch'"),
    "timestamp without time zone": ("'2024-02-29 12:00'", "'infinity'", "'-infinity'", "'epoch'"),
    "tsquery": ("''", "'a'", "'a & !b'", "'a <-> b'"),
    "tsrange": ("'empty'", "'[2024-01-01,2024-02-01)'", "'(,)'"),
    "tsrange[]": ("'{}'", "ARRAY['[2024-01-01,2024-02-01)']::tsrange[]"),
    "tstzrange": ("'empty'", "'[2024-01-01,2024-02-01)'", "'(,)'"),
    "tstzrange[]": ("'{}'", "ARRAY['[2024-01-01,2024-02-01)']::tstzrange[]"),
    "tsvector": ("''", "'a:1 b:2A'", "'x'"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "xid": ("'0'", "'7'"),
    "xml": ("'<a/>'", "'text'", "'<a b=\"1\">c</a>'"),
}
_VARIADIC = ("multirange(", "jsonb_delete(jsonb, text[])")
_POLYMORPHIC = frozenset(
    {"anyarray", "anycompatible", "anycompatiblearray", "anyelement", "anyenum", "anymultirange", "anynonarray", "anyrange", "record"}
)

SETUP = """
CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok', 'happy');
CREATE SEQUENCE pg_temp.counter;
SELECT nextval('pg_temp.counter');
CREATE FUNCTION pg_temp.probe(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE missing boolean;
BEGIN
    EXECUTE query INTO missing;
    RETURN CASE WHEN missing THEN 'null' ELSE 'value' END;
EXCEPTION WHEN OTHERS THEN
    RETURN 'error';
END $$;
"""
"""Prepare a session for the sample values; the function returns whether a query's value is NULL, a value or an error."""


def split_signature(signature: str) -> tuple[str, list[str]]:
    """Split `name(type, type)` into the name and the types."""
    name, arguments = signature.removesuffix(")").split("(", 1)
    return name, arguments.split(", ") if arguments else []


def literal(type_name: str, source: random.Random) -> str:
    """Return a random value of the type, as an expression of that type."""
    value = source.choice(POOLS[type_name])
    if type_name in _POLYMORPHIC:
        return value
    return f"CAST({value} AS {type_name})"


def call(signature: str, source: random.Random, *, nulls: frozenset[int] = frozenset()) -> str:
    """Return a call of the function with random values; the arguments in `nulls` are NULL of their type."""
    name, types = split_signature(signature)
    if types == ['"any"']:
        types = [source.choice(("integer", "text")) for _ in range(2)]
    elif types[-1:] == ['"any"']:
        types = [*types[:-1], "text"]
    arguments: list[str] = []
    for index, type_name in enumerate(types):
        value = literal(type_name, source)
        if type_name.endswith("[]") and any(part in signature for part in _VARIADIC):
            value = f"VARIADIC {value}"
        arguments.append(f"(CASE WHEN false THEN {value} END)" if index in nulls else value)
    return f'pg_catalog."{name}"({", ".join(arguments)})'
