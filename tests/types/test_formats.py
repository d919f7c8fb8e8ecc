"""A result may be asked in text for speed: its values must be those of the binary format, whatever the session's settings are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sqlwright import ir
from sqlwright.ir.naming import Identifier
from sqlwright.types.formats import SAVED, asks_binary

# Values at the edges of each type that may be asked in text.
VALUES = {
    "bool": ("true", "false"),
    "bpchar": ("'a  '", "''", "'ü'"),
    "bytea": (r"'\x00ff5c'", r"'\x'", "'a'"),
    "date": ("'0001-01-01'", "'9999-12-31'", "'2026-02-28'"),
    "int2": ("-32768", "32767"),
    "int4": ("-2147483648", "2147483647"),
    "int8": ("-9223372036854775808", "9223372036854775807"),
    "json": ("""'{"a": [1.10, null, "\\u00fc"]}'""", "'1e2'"),
    "jsonb": ("""'{"a": [1.10, null, "\\u00fc"]}'""", "'1e2'"),
    "name": ("'a b'", "''"),
    "numeric": ("'NaN'", "'Infinity'", "'-Infinity'", "0.00", "-0.000001", "12345678901234567890.123456789000", "1e30", "1e-30"),
    "oid": ("0", "4294967295"),
    "text": (r"'tab	\n ü'", "''"),
    "time": ("'00:00'", "'23:59:59.999999'"),
    "timestamp": ("'0001-01-01 00:00'", "'9999-12-31 23:59:59.999999'", "'2026-03-29 02:30:00.1'"),
    "timestamptz": ("'0002-01-01 00:00Z'", "'9998-12-31 23:59:59.999999Z'", "'2026-03-29 00:30Z'", "'2026-10-25 01:30Z'"),
    "uuid": ("'12345678-1234-5678-1234-567812345678'",),
    "varchar": ("'a  '", "''"),
}


@pytest.fixture(params=["DEFAULT", "Europe/Berlin", "-05:30"])
def conn(request: pytest.FixtureRequest, proof_server: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with a time zone, and with settings of how values are written."""
    with psycopg.connect(proof_server) as connection:
        connection.execute(f"SET TimeZone TO {request.param if request.param == 'DEFAULT' else repr(request.param)}".encode())
        connection.execute(
            "SET extra_float_digits TO -15; SET bytea_output TO escape; SET IntervalStyle TO sql_standard; SET DateStyle TO ISO, DMY"
        )
        yield connection


@pytest.mark.parametrize("name", sorted(SAVED))
def test_a_value_is_the_same_in_both_formats(conn: psycopg.Connection[Any], name: str) -> None:
    query = f"SELECT {', '.join(f'({value})::{name}' for value in VALUES[name])}".encode()
    text, binary = (conn.execute(query, binary=binary).fetchone() or () for binary in (False, True))
    assert list(map(repr, text)) == list(map(repr, binary))


def columns(*names: str) -> list[ir.Column]:
    return [ir.Column(Identifier("a"), "a", ir.Scalar(name, "", "object"), origin=None, doc="", reason="", place=None) for name in names]


@pytest.mark.parametrize(
    ("names", "binary"),
    [
        pytest.param(["int4", "text"], True, id="binary is the rule"),
        pytest.param(["numeric", "text", "int8"], False, id="a numeric is read faster in text"),
        pytest.param(["numeric", "timestamptz", "timestamptz"], True, id="what others gain is counted against it"),
        pytest.param(["numeric", "float8"], True, id="a float may be another number in text"),
        pytest.param(["numeric", "interval"], True, id="an interval is written as the session is set"),
        pytest.param(["date"], True, id="a little is not worth it"),
        pytest.param(["tsvector", "int4"], False, id="what has no binary form makes all text"),
    ],
)
def test_the_format_is_the_faster_one_that_loses_nothing(names: list[str], *, binary: bool) -> None:
    assert asks_binary(columns(*names)) is binary
