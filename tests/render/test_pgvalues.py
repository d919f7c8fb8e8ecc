"""The table of types whose binary results psycopg loads without registration."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import RawCursor
from psycopg.rows import tuple_row

from sqlwright.types.pgtypes import BINARY_TYPES

_VALUES = {
    "bool": ["true", "false"],
    "bpchar": ["'é '"],
    "bytea": [r"'\x00ff5c'", "''"],
    "cidr": ["'10.0.0.0/8'", "'::/64'"],
    "date": ["'2024-02-29'", "'0001-01-01'"],
    "float8": ["0.1", "'inf'", "-1e300"],
    "datemultirange": ["'{}'", "'{[2020-01-01,2020-02-01),[2021-01-01,)}'"],
    "daterange": ["'empty'", "'[2020-01-01,)'"],
    "inet": ["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"],
    "int2": ["-32768"],
    "int4": ["-2147483648"],
    "int4multirange": ["'{[1,3)}'"],
    "int4range": ["'(,5)'"],
    "int8": ["9223372036854775807"],
    "int8multirange": ["'{[1,3)}'"],
    "int8range": ["'[1,1099511627776)'"],
    "interval": ["'1 mon 2 days 3:04'", "'-1 year 5 days'", "'14 mons -3 days'", "'1 microsecond'"],
    "json": ["""'{"a": [1, null, 1.5]}'""", "'null'"],
    "jsonb": ["""'{"a": [1, null, 1.5]}'""", "'null'"],
    "name": ["'a b'"],
    "numeric": ["1.50", "'Infinity'", "1e30", "-0.00"],
    "nummultirange": ["'{[1.50,3)}'"],
    "numrange": ["'(1.50,)'"],
    "oid": ["4294967295"],
    "text": ["'é\"\\,{}'", "''"],
    "time": ["'23:59:59.999999'"],
    "timestamp": ["'2024-02-29 23:59:59.999999'"],
    "timestamptz": ["'2024-02-29 23:59:59.999999+02'"],
    "timetz": ["'01:02:03.5+02'"],
    "tsmultirange": ["'{[2020-01-01 01:02:03.000004,)}'"],
    "tsrange": ["'[2020-01-01 01:02:03.000004,)'"],
    "tstzmultirange": ["'{[2020-01-01 01:02:03.000004+02,)}'"],
    "tstzrange": ["'(2020-01-01 01:02:03.000004+02,2021-01-01)'"],
    "uuid": ["'00000000-0000-0000-0000-00000000000f'"],
    "varchar": ["'é'"],
}


@pytest.fixture(scope="module")
def conn(proof_server: str) -> Iterator[psycopg.Connection]:
    """A connection on which nothing is registered."""
    with psycopg.connect(proof_server, autocommit=True) as connection:
        yield connection


def _load(conn: psycopg.Connection, expression: str, *, binary: bool) -> object:
    (found,) = RawCursor(conn, row_factory=tuple_row).execute(f"SELECT {expression}".encode(), binary=binary).fetchall()
    return found[0]


def test_every_type_of_the_table_is_measured() -> None:
    assert set(_VALUES) == BINARY_TYPES


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in _VALUES.items() for value in values])
def test_binary_and_text_load_the_same_value(conn: psycopg.Connection, name: str, value: str) -> None:
    for expression in (f"({value})::{name}", f"ARRAY[({value})::{name}, NULL]", f"ARRAY[]::{name}[]"):
        text, binary = (_load(conn, expression, binary=binary) for binary in (False, True))
        assert (type(binary), repr(binary)) == (type(text), repr(text))


@pytest.mark.parametrize("expression", ["0.1::float4", "''::\"char\"", "'(1,2)'::point", "'5'::xid"])
def test_types_outside_of_the_table_would_differ(conn: psycopg.Connection, expression: str) -> None:
    assert _load(conn, expression, binary=True) != _load(conn, expression, binary=False)


def test_the_char_type_cannot_be_read_in_binary_beyond_ascii(conn: psycopg.Connection) -> None:
    assert _load(conn, "'\\377'::\"char\"", binary=False) == "\\377"
    with pytest.raises(UnicodeDecodeError):
        _load(conn, "'\\377'::\"char\"", binary=True)
