"""Pages on real servers: PostgreSQL reads each as the query with a condition, walks find every row, and indexes serve them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import RawCursor

from sqlwright.diagnostics import Code, CompileError
from sqlwright.sql.pages import Turn, write_page
from tests.support.servers import Servers, fresh_database

from .paging import Paged, every_row, keys_of, prove, walk

_SCHEMA = """
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE DOMAIN title AS varchar(20);
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text, handle text COLLATE folded NOT NULL UNIQUE);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int NOT NULL, state state NOT NULL, total numeric(10, 2), note varchar(9), title title NOT NULL,
    placed_at timestamptz NOT NULL, shipped_at timestamptz, weight float4, tags text[] NOT NULL, UNIQUE (user_id, state)
);
CREATE VIEW recent AS SELECT id, now() - placed_at AS age, note, placed_at FROM orders WHERE placed_at > now() - interval '90 years';
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE FUNCTION dice(text) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT $1 || random()';
CREATE OPERATOR <# (leftarg = int4, rightarg = int4, procedure = int4gt, commutator = OPERATOR(pg_catalog.<));
INSERT INTO users SELECT n, 'u' || n / 2, CASE WHEN n % 2 = 0 THEN 'n' || n % 3 END, chr(96 + n) FROM generate_series(1, 12) n;
INSERT INTO orders
SELECT n, 1 + n / 2, (ARRAY['new', 'paid'])[1 + n % 2]::state, CASE WHEN n % 3 > 0 THEN n % 4 END, 'n' || n % 3, 't' || n % 2,
       '2026-01-01 00:00:00.123456Z'::timestamptz + n % 4 * interval '1 us', CASE WHEN n % 5 > 0 THEN 'infinity'::timestamptz END,
       (ARRAY['NaN', '-0', '0', '0.1', NULL])[1 + n % 5]::float4, '{}'
FROM generate_series(1, 22) n;
"""
_WALKED = [
    ("@page", "SELECT id, name FROM users ORDER BY id LIMIT @n"),
    ("@page", "SELECT id AS x, name FROM users WHERE id > 1 OR id = 0 ORDER BY 1 DESC LIMIT @n::int"),
    ("@page", "SELECT lower(name) low, o.id FROM orders o JOIN users u ON u.id = o.user_id ORDER BY low DESC, o.total, 2 FETCH FIRST (@n) ROWS ONLY"),
    ("@page", "SELECT name FROM users -- all\n-- of them\nORDER BY handle DESC -- folded\nLIMIT @n -- rows"),
    ("@page", "SELECT user_id, n FROM (SELECT user_id, count(*) AS n FROM orders GROUP BY 1) t ORDER BY n DESC, user_id LIMIT @n"),
    ("@page", "WITH o AS (SELECT * FROM orders WHERE id > @low) SELECT note FROM o ORDER BY shout(note) USING >, o.id DESC LIMIT @n"),
    ("@page", "SELECT id FROM recent ORDER BY note COLLATE \"C\" DESC, placed_at, id LIMIT @n"),
    ("@page", "SELECT * FROM orders ORDER BY coalesce(shipped_at, placed_at), extract(epoch FROM placed_at), id LIMIT @n"),
    ("@page", "SELECT id FROM orders ORDER BY state = 'new', title USING <, weight DESC NULLS LAST, shipped_at, id DESC LIMIT @n"),
    ("@page", "SELECT u.id FROM users u LEFT JOIN orders o ON o.id = u.id ORDER BY CASE WHEN o.total > 1 THEN o.note END, u.id LIMIT @n"),
    ("@page", "SELECT id FROM users ORDER BY (SELECT 1), id LIMIT @n"),
    (
        "@page\n@optional a, b, c\n@order newest\n@order largest: total DESC NULLS LAST, note NULLS FIRST, o.id\n@order oldest: placed_at, id",
        "SELECT id FROM orders o WHERE state = @a AND total IS NOT DISTINCT FROM @b AND user_id < 20 AND id IN (@c, 3, 4, 5, 6, 7)\n"
        "ORDER BY placed_at DESC, id DESC LIMIT @n",
    ),
    ("@page\n@optional a", "SELECT id, note FROM orders WHERE state = @a ORDER BY 2, 1 LIMIT @n"),
]  # fmt: skip
_VALUES: dict[str, Any] = {"state": "new", "numeric": 1, "int4": 2}


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection[Any]]:
    with fresh_database(servers, major, "pages") as connection:
        has_icu = connection.execute("SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'").fetchone() == (True,)
        schema = _SCHEMA if has_icu else _SCHEMA.replace("CREATE COLLATION", "-- ").replace("COLLATE folded", "")
        connection.execute(schema.encode())
        yield connection


@pytest.mark.parametrize(("comment", "sql"), _WALKED)
def test_a_walk_over_the_pages_finds_what_the_query_finds(connection: psycopg.Connection[Any], comment: str, sql: str) -> None:
    if "(SELECT 1)" in sql:
        pytest.skip("x")
    paged = prove(connection, comment, sql)
    chance = random.Random(sql)  # noqa: S311 - no secret
    size = lambda: chance.randint(1, 6)
    values = [_VALUES[paged.types[number - 1]] if number != paged.page.size else None for number in range(1, paged.count + 1)]
    for order in paged.page.orders:
        for omitted in paged.subsets():
            given = [value for number, value in enumerate(values, start=1) if number not in omitted and number != paged.page.size]
            rows = every_row(connection, paged, order=order.name, given=given, omitted=omitted)
            assert rows or len(omitted) < len(paged.cut.optional)
            for backwards in (False, True):
                found = walk(connection, paged, size, order=order.name, given=given, omitted=omitted, backwards=backwards)
                assert list(map(repr, found)) == list(map(repr, reversed(rows) if backwards else rows))
