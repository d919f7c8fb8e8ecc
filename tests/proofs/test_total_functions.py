"""The table of total functions, held up by calling every one of them on a real server with values from the ends of its types."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import psycopg
import pytest

from sqlwright.prove.catalog.totals import ALWAYS, ANY_ARGUMENT, CASTING, FIRST_ARGUMENT, TOTAL
from tests.support.servers import Servers, fresh_database

from .sample_values import SETUP, call, split_signature

_CALLS = int(os.environ.get("SQLWRIGHT_CALLS_PER_FUNCTION", "12"))
_SEED = int(os.environ.get("SQLWRIGHT_SEED", "20"))
# They need settings or state that a session may not have: an XML library in the server, a conversion between encodings, times that exist.
_MAY_ALWAYS_FAIL = ("xml", "xpath", "text(xml)", "make_timestamptz", "is_normalized", "date_trunc(text, timestamp with time zone, text)")


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "total_functions") as connection:
        connection.execute(SETUP)
        yield connection


def probe(connection: psycopg.Connection, queries: list[str]) -> list[str]:
    rows = connection.execute(
        "SELECT pg_temp.probe(query) FROM unnest(%s::text[]) WITH ORDINALITY q(query, number) ORDER BY number", (queries,)
    ).fetchall()
    return [row[0] for row in rows]


def known(connection: psycopg.Connection, signatures: frozenset[str]) -> list[str]:
    rows = connection.execute(
        "SELECT proname || '(' || oidvectortypes(proargtypes) || ')' FROM pg_proc WHERE oid < 16384 AND prokind = 'f'"
    ).fetchall()
    return sorted(signatures & {row[0] for row in rows})


def test_a_total_function_returns_no_null_for_values(connection: psycopg.Connection) -> None:
    source = random.Random(_SEED)  # noqa: S311 - the seed is the point
    signatures = known(connection, TOTAL | CASTING | FIRST_ARGUMENT | ANY_ARGUMENT | ALWAYS)
    assert len(signatures) > 1000
    queries = [(s, f"SELECT {call(s, source)} IS NULL") for s in signatures for _ in range(_CALLS if "()" not in s else 1)]
    results = probe(connection, [query for _, query in queries])
    nulls = [query for (_, query), result in zip(queries, results, strict=True) if result == "null"]
    assert nulls == [], f"seed {_SEED}"
    answered = {signature for (signature, _), result in zip(queries, results, strict=True) if result == "value"}
    silent = [s for s in signatures if s not in answered and not s.startswith(_MAY_ALWAYS_FAIL)]
    assert len(silent) <= len(signatures) // 50, f"never called with values that they accept: {silent}, seed {_SEED}"


def test_no_total_function_calls_what_a_user_may_have_defined_for_the_type(connection: psycopg.Connection) -> None:
    """The body of a function in SQL over any type is analysed for each type: its casts and operators may be a user's."""
    rows = connection.execute(
        """
        SELECT proname || '(' || oidvectortypes(proargtypes) || ')' FROM pg_proc p JOIN pg_language l ON l.oid = prolang
        WHERE p.oid < 16384 AND lanname = 'sql'
          AND EXISTS (SELECT FROM unnest(proargtypes) a JOIN pg_type t ON t.oid = a WHERE typtype = 'p')
        """
    ).fetchall()
    found = {row[0] for row in rows}
    # Of a NULL too, quote_nullable makes a text.
    assert found & (TOTAL | CASTING | FIRST_ARGUMENT | ANY_ARGUMENT | ALWAYS) == CASTING | {"quote_nullable(anyelement)"}


def test_a_function_that_accepts_nulls_returns_none_for_them(connection: psycopg.Connection) -> None:
    source = random.Random(_SEED)  # noqa: S311 - the seed is the point
    queries: list[str] = []
    for signatures, safe in ((ALWAYS, 0), (FIRST_ARGUMENT, 1)):
        for signature in known(connection, signatures):
            width = 2 if signature.endswith('"any")') else len(split_signature(signature)[1])
            for _ in range(_CALLS):
                nulls = frozenset(index for index in range(safe, width) if source.random() < 0.6)
                queries.append(f"SELECT {call(signature, source, nulls=nulls)} IS NULL")
    for signature in known(connection, ANY_ARGUMENT):
        queries += [f"SELECT {call(signature, source, nulls=frozenset({index}))} IS NULL" for index in (0, 1) for _ in range(_CALLS)]
    results = probe(connection, queries)
    assert [query for query, result in zip(queries, results, strict=True) if result == "null"] == [], f"seed {_SEED}"
    assert "value" in results


@pytest.mark.parametrize(
    ("signature", "because"),
    [
        ("time(timestamp without time zone)", "infinity has no time of day"),
        ("extract(text, date)", "infinity has no day"),
        ("to_char(timestamp with time zone, text)", "infinity has no letters"),
        ("array_length(anyarray, integer)", "an empty array has no length"),
        ("substring(text, text)", "the pattern may not match"),
        ("jsonb_object_field_text(jsonb, text)", "the key may be missing"),
        ("lower(anyrange)", "a range may have no lower bound"),
        ("scale(numeric)", "NaN has no scale"),
        ("to_number(text, text)", "the format may be empty"),
        ("regexp_match(text, text)", "the pattern may not match"),
    ],
)
def test_a_strict_function_that_may_return_null_is_not_in_the_table(connection: psycopg.Connection, signature: str, because: str) -> None:
    source = random.Random(_SEED)  # noqa: S311 - the seed is the point
    assert signature not in TOTAL
    assert "null" in probe(connection, [f"SELECT {call(signature, source)} IS NULL" for _ in range(200)]), because
