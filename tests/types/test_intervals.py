"""Intervals: a timedelta never stands for months, and `intervals: exact` keeps everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.projects import Compiler, Project, declare

SCHEMA = "CREATE TYPE stay AS (span interval, spans interval[]);"
QUERIES = """
-- name: echo :one
SELECT @v::interval AS v;

-- name: echo_text :one
SELECT @v::interval AS v, 0.5::float4 AS forces_text;

-- name: echo_many :one
SELECT @v::interval[] AS v;

-- name: echo_stay :one
SELECT @v::stay AS v;

-- name: make :one
SELECT (@v::text)::interval AS v;

-- name: make_text :one
SELECT (@v::text)::interval AS v, 0.5::float4 AS forces_text;
"""
PLAIN = declare(SCHEMA, QUERIES)
EXACT = declare(SCHEMA, QUERIES, intervals="exact")


@pytest.fixture(scope="module")
def plain(compiler: Compiler) -> Project:
    return compiler.compile(PLAIN)


@pytest.fixture(scope="module")
def exact(compiler: Compiler) -> Project:
    return compiler.compile(EXACT)


@pytest.mark.parametrize("text", ["1 mon", "-1 year 5 days", "1 year", "infinity", "1 mon -30 days"])
@pytest.mark.parametrize("function", ["make", "make_text"])
def test_months_are_refused_as_timedelta(plain: Project, function: str, text: str) -> None:
    with plain.connect() as conn, pytest.raises(psycopg.DataError, match="a timedelta cannot hold the interval"):
        getattr(plain.module("queries"), function)(conn, v=text)


@pytest.mark.parametrize("text", ["0", "1 day", "-3 days 04:05:06.789", "24:00:00", "12 mons -1 year 2 days"])
def test_days_and_time_are_a_timedelta(plain: Project, text: str) -> None:
    queries = plain.module("queries")
    with plain.connect() as conn:
        binary, in_text = queries.make(conn, v=text), queries.make_text(conn, v=text).v
    assert type(binary) is timedelta
    assert binary == in_text


def test_an_exact_interval_keeps_its_parts(exact: Project) -> None:
    queries, interval = exact.module("queries"), exact.module("adapters").Interval
    stay = exact.module("models").Stay
    parts: Any = st.builds(interval, st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(-(10**14), 10**14))
    with exact.connect() as conn:

        @settings(
            max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], derandomize=True
        )
        @given(parts)
        def check(value: Any) -> None:
            assert queries.echo(conn, v=value) == value
            assert queries.echo_text(conn, v=value).v == value
            assert queries.echo_many(conn, v=[value]) == [value]
            assert queries.echo_stay(conn, v=stay(span=value, spans=[value])) == stay(span=value, spans=[value])

        check()
        assert queries.make(conn, v="1 year 2 mons -3 days 00:00:01") == interval(14, -3, 1_000_000)


@pytest.mark.parametrize("text", ["infinity", "-infinity"])
@pytest.mark.parametrize("function", ["make", "make_text"])
def test_an_infinite_interval_is_refused(exact: Project, function: str, text: str) -> None:
    with exact.connect() as conn, pytest.raises(psycopg.DataError, match=r"cannot load .*infini"):
        getattr(exact.module("queries"), function)(conn, v=text)


def test_the_longest_interval_is_not_infinite(exact: Project) -> None:
    longest = exact.module("adapters").Interval(2**31 - 1, 2**31 - 1, 0)
    with exact.connect() as conn:
        assert exact.module("queries").echo(conn, v=longest) == longest


def test_the_connection_is_not_changed_by_a_query_with_intervals(plain: Project) -> None:
    with plain.connect() as conn:
        plain.module("queries").echo(conn, v=timedelta(1))
        assert conn.execute("SELECT '1 mon'::interval").fetchone() == (timedelta(30),)
