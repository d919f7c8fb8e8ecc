"""Casts: each placeholder gets one, where it has none, and nothing else changes."""

from __future__ import annotations

import pytest

from sqlwright.sql.placeholders import with_casts


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT $1", "SELECT $1::int4"),
        ("SELECT $1 + $2", "SELECT $1::int4 + $2::text"),
        ("SELECT $1::bigint", "SELECT $1::bigint"),
        ("SELECT $1 :: bigint", "SELECT $1 :: bigint"),
        ("SELECT CAST($1 AS bigint)", "SELECT CAST($1 AS bigint)"),
        ("SELECT cast ( $1 as bigint)", "SELECT cast ( $1 as bigint)"),
        ("SELECT '$1', $1", "SELECT '$1', $1::int4"),
        ("SELECT $1[1]", "SELECT ($1::int4)[1]"),
        ("SELECT $1 . f", "SELECT ($1::int4) . f"),
        ("FETCH FIRST $1 ROWS ONLY", "FETCH FIRST ($1::int4) ROWS ONLY"),
        ("LIMIT $1 OFFSET $2", "LIMIT $1::int4 OFFSET $2::text"),
        ("SELECT $1/* ::x */", "SELECT $1::int4/* ::x */"),
    ],
)
def test_casts(sql: str, expected: str) -> None:
    assert with_casts(sql, {1: "int4", 2: "text"}) == expected


def test_casting_twice_changes_nothing_more() -> None:
    once = with_casts("SELECT $1, $2[1], '$3'", {1: "int4", 2: "text[]"})
    assert with_casts(once, {1: "int4", 2: "text[]"}) == once
