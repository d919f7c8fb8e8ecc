"""Pages on real servers: PostgreSQL reads each as the query with a condition, walks find every row, and indexes serve them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import RawCursor

from sqlwright.diagnostics import Code, CompileError
from sqlwright.sql.pages import PageOrder, Turn, write_page
from tests.support.servers import Servers, fresh_database

from .paging import Paged, every_row, keys_of, prove, walk

_SCHEMA = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE FUNCTION shown(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '"any"'::json $$;
CREATE CAST (mood AS json) WITH FUNCTION shown(mood);
CREATE TYPE size AS ENUM ('small', 'large');
CREATE FUNCTION shown(size) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'any' $$;
CREATE CAST (size AS text) WITH FUNCTION shown(size);
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE DOMAIN title AS varchar(20);
CREATE DOMAIN stage AS state;
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text, handle text COLLATE folded NOT NULL UNIQUE);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int NOT NULL, state state NOT NULL, total numeric(10, 2), note varchar(9), title title NOT NULL,
    placed_at timestamptz NOT NULL, shipped_at timestamptz, weight float4, tags text[] NOT NULL,
    stage stage NOT NULL DEFAULT 'paid', UNIQUE (user_id, state)
);
CREATE TABLE facts (id int PRIMARY KEY, n numeric NOT NULL, x float8 NOT NULL, b bytea NOT NULL, c char(9) NOT NULL, mood mood NOT NULL);
INSERT INTO facts
SELECT i, (ARRAY['1', '1.0', '1.00', '2', '7.000', '7'])[1 + i % 6]::numeric, (ARRAY['-0', '0', '0.1'])[1 + i % 3]::float8,
       decode(md5((i % 5)::text), 'hex'), 'c' || i % 2, (ARRAY['sad', 'glad'])[1 + i % 2]::mood
FROM generate_series(1, 24) i;
CREATE VIEW grouped AS SELECT n, count(*) AS total FROM facts GROUP BY n;
CREATE VIEW recent AS SELECT id, now() - placed_at AS age, note, placed_at FROM orders WHERE placed_at > now() - interval '90 years';
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE FUNCTION dice(text) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT $1 || random()';
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
    ("@page", "SELECT lower(name) a, o.id FROM orders o JOIN users u ON u.id = user_id ORDER BY a DESC, total, 2 FETCH NEXT @n ROWS ONLY"),
    ("@page", "SELECT name FROM users -- all\n-- of them\nORDER BY handle DESC -- folded\nLIMIT @n -- rows"),
    ("@page", "SELECT user_id, n FROM (SELECT user_id, count(*) AS n FROM orders GROUP BY 1) t ORDER BY n DESC, user_id LIMIT @n"),
    ("@page", "WITH o AS (SELECT * FROM orders WHERE id > @low) SELECT note FROM o ORDER BY shout(note) USING >, o.id DESC LIMIT @n"),
    ("@page", 'SELECT id FROM recent ORDER BY note COLLATE "C" DESC, placed_at, id LIMIT @n'),
    ("@page", 'SELECT id FROM orders ORDER BY note COLLATE "POSIX" DESC, title COLLATE "C" DESC, lower(note COLLATE "C"), id LIMIT @n'),
    ("@page", "SELECT id, 'x' FROM orders ORDER BY coalesce(shipped_at, placed_at), (placed_at AT TIME ZONE 'UTC')::date, id LIMIT @n"),
    ("@page", "SELECT id FROM orders ORDER BY state = 'new', title USING <, weight DESC NULLS LAST, shipped_at, id DESC LIMIT @n"),
    ("@page", "SELECT u.id FROM users u LEFT JOIN orders o ON o.id = u.id ORDER BY CASE WHEN o.total > 1 THEN o.note END, u.id LIMIT @n"),
    (
        "@page\n@optional a, b, c\n@order newest\n@order largest: total DESC NULLS LAST, note NULLS FIRST, o.id\n@order old: placed_at, id",
        "SELECT id FROM orders o WHERE state = @a AND total = @b AND id IN (@c, 3)\nORDER BY placed_at DESC, id DESC LIMIT @n",
    ),
    # What groups values that are equal but not the same is no matter to a sort that finds them equal too, or that is of something else.
    ("@page", "SELECT n::text AS t, total FROM (SELECT n, count(*) AS total FROM facts GROUP BY n) g ORDER BY total DESC, n LIMIT @n"),
    ("@page", "SELECT total FROM grouped ORDER BY n DESC LIMIT @n"),
    ("@page", "SELECT n + 0 FROM (SELECT n FROM facts UNION SELECT total FROM orders WHERE total > 0) g ORDER BY n LIMIT @n"),
    ("@page", "SELECT s FROM (SELECT DISTINCT id % 7 AS s, mood::text AS m FROM facts) g ORDER BY abs(s) DESC, lower(m), m, s LIMIT @n"),
    (
        "@page",
        "SELECT user_id, m FROM (SELECT user_id, max(total) AS m, array_agg(id) FROM orders GROUP BY 1) g ORDER BY m, user_id LIMIT @n",
    ),
    ("@page", "SELECT id, r FROM (SELECT id, row_number() OVER (PARTITION BY x ORDER BY n, id) AS r FROM facts) g ORDER BY r, id LIMIT @n"),
    ("@page", "SELECT id, r FROM (SELECT id, sum(n) OVER (ORDER BY n) AS r FROM facts) g ORDER BY r DESC, id LIMIT @n"),
    ("@page", "SELECT id FROM (SELECT id, n FROM facts ORDER BY n, id LIMIT 9) g ORDER BY id LIMIT @n"),
    ("@page", "SELECT id FROM facts ORDER BY mood, n::text, mood::text, id::text, id LIMIT @n"),
    ("@page", "SELECT id FROM orders ORDER BY stage::state DESC, tags[1] COLLATE \"C\", 'x'::text, id LIMIT @n"),
    ("@page", "SELECT u.id FROM users u LEFT JOIN orders o ON user_id = u.id AND total > 1 ORDER BY u.name, o.id DESC, u.id LIMIT @n"),
    ("@page", "SELECT 1 FROM orders o RIGHT JOIN users u ON o.user_id = u.id ORDER BY o.id DESC NULLS LAST, u.id LIMIT @n"),
    ("@page\n@optional a", "SELECT id, note FROM orders WHERE state = @a ORDER BY 2, 1 LIMIT @n"),
]  # fmt: skip
_VALUES: dict[str, Any] = {"state": "new", "numeric": 1, "int4": 2}


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection[Any]]:
    with fresh_database(servers, major, "pages") as connection:
        # Not every build has ICU, and nondeterministic collations with it.
        with suppress(psycopg.errors.FeatureNotSupported), connection.transaction():
            connection.execute("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        with suppress(psycopg.errors.DuplicateObject), connection.transaction():
            connection.execute('CREATE COLLATION folded FROM "C"')
        connection.execute(_SCHEMA.encode())
        yield connection


@pytest.mark.parametrize(("comment", "sql"), _WALKED)
def test_a_walk_over_the_pages_finds_what_the_query_finds(connection: psycopg.Connection[Any], comment: str, sql: str) -> None:
    paged = prove(connection, comment, sql)
    chance = random.Random(sql)  # noqa: S311 - no secret
    values = [_VALUES[paged.types[number - 1]] if number != paged.page.size else None for number in range(1, paged.count + 1)]
    for order in paged.page.orders:
        for omitted in paged.subsets():
            given = [value for number, value in enumerate(values, start=1) if number not in omitted and number != paged.page.size]
            rows = every_row(connection, paged, order=order.name, given=given, omitted=omitted)
            assert rows or len(omitted) < len(paged.cut.optional)
            for backwards in (False, True):
                found = walk(
                    connection, paged, lambda: chance.randint(1, 6), order=order.name, given=given, omitted=omitted, backwards=backwards
                )
                assert list(map(repr, found)) == list(map(repr, reversed(rows) if backwards else rows))


def refused(connection: psycopg.Connection[Any], comment: str, sql: str) -> tuple[Code, str, str]:
    """Return the code, the message and the help of the error for a query."""
    with pytest.raises(CompileError) as error:
        prove(connection, comment, sql)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.place is not None
    assert diagnostic.place.line
    return diagnostic.code, diagnostic.message, diagnostic.help


@pytest.mark.parametrize(
    ("sql", "words", "cure"),
    [
        ("UPDATE orders SET note = 'x'", "is not a SELECT", "remove it."),
        ("SELECT id FROM users UNION SELECT id FROM orders ORDER BY 1 LIMIT @n", "combines queries with UNION", "subquery in FROM"),
        ("SELECT user_id, count(*) FROM orders GROUP BY 1 ORDER BY 1 LIMIT @n", "groups rows", "subquery in FROM"),
        ("SELECT DISTINCT id FROM orders ORDER BY 1 LIMIT @n", "has DISTINCT", "subquery in FROM"),
        ("SELECT id, row_number() OVER () FROM orders ORDER BY 1 LIMIT @n", "has window functions", "subquery in FROM"),
        ("SELECT id, generate_series(1, 2) FROM orders ORDER BY 1, 2 LIMIT @n", "returns rows in its list of columns", "subquery in FROM"),
        ("SELECT id FROM orders ORDER BY 1 LIMIT @n FOR UPDATE", "locks rows", "by their keys"),
        ("WITH d AS (DELETE FROM users) SELECT id FROM orders ORDER BY 1 LIMIT @n", "writes in a WITH item", "a statement of its own"),
        ("SELECT id FROM orders ORDER BY 1 LIMIT @n OFFSET 1", "has OFFSET", "remove it"),
        ("SELECT id FROM orders ORDER BY 1", "has no LIMIT", "LIMIT @page_size"),
        ("SELECT id FROM orders ORDER BY 1 FETCH FIRST (@n) ROWS WITH TIES", "has WITH TIES", "remove it"),
        ("SELECT id FROM orders LIMIT @n", "has no ORDER BY", "write the order there"),
        ("SELECT id FROM orders ORDER BY 1 LIMIT 10", "is a parameter by itself", "LIMIT @page_size"),
        ("SELECT id FROM orders ORDER BY 1 LIMIT @n + 1", "is a parameter by itself", "LIMIT @page_size"),
        ("SELECT id FROM orders WHERE id > @n ORDER BY 1 LIMIT @n", "is a parameter by itself", "LIMIT @page_size"),
        ("TABLE orders ORDER BY id LIMIT @n", "is not SELECT … FROM … ORDER BY", "(…) AS name"),
        ("SELECT id FROM orders ORDER BY placed_at LIMIT @n", "no two rows have the same place", "`placed_at, orders.id`"),
        ("SELECT o.id FROM orders o ORDER BY total DESC LIMIT @n", "no two rows have the same place", "`total DESC, o.id`"),
        ("SELECT o.id FROM orders o, users ORDER BY 1 LIMIT @n", "no two rows have the same place", "`1, users.id`"),
        ('SELECT 1 FROM orders AS "O", users ORDER BY state LIMIT @n', "no two rows have the same place", '`state, "O".id, users.id`'),
        ("SELECT n FROM generate_series(1, 3) n ORDER BY n LIMIT @n", "no two rows have the same place", "add a unique column"),
        ("SELECT id, age FROM recent ORDER BY age, id LIMIT @n", "`age` is of type interval", "extract(epoch"),
        ("SELECT FROM orders ORDER BY id LIMIT @n", "returns no column", "sorted by"),
        ("SELECT id FROM orders ORDER BY stage, id LIMIT @n", "a domain over the enum state", "`stage::state`"),
        ("SELECT id FROM orders ORDER BY tags, id LIMIT @n", "`tags` is of type _text", "sort by a number"),
        ("SELECT id FROM recent ORDER BY extract(epoch FROM age), id LIMIT @n", "not the same each time", "immutable"),
        ("SELECT id FROM orders ORDER BY dice(note), id LIMIT @n", "not the same each time", "immutable"),
        ("SELECT id FROM orders ORDER BY placed_at::date, id LIMIT @n", "not the same each time", "immutable"),
        ("SELECT id, (SELECT max(id) FROM users) AS m FROM orders ORDER BY m, id LIMIT @n", "not the same each time", "immutable"),
        ("SELECT id FROM (SELECT id, random() AS r FROM orders) o ORDER BY r, id LIMIT @n", "not the same each time", "immutable"),
        ("WITH o AS (SELECT id, random() AS r FROM orders) SELECT id FROM o ORDER BY r, id LIMIT @n", "not the same each", "immutable"),
        ("SELECT o.id FROM orders o, (SELECT now() n) t, LATERAL (SELECT n AS s) l ORDER BY s, o.id LIMIT @n", "not the same", ""),
        ("SELECT id FROM orders ORDER BY id, id LIMIT @n", "names a column twice", "once"),
        ("SELECT id FROM orders ORDER BY total, note, shipped_at, weight, id LIMIT @n", "4 of its columns may be NULL", "at most 3"),
        (
            "SELECT total FROM (SELECT n, count(*) AS total FROM facts GROUP BY n) g ORDER BY scale(n), n LIMIT @n",
            "takes for equal",
            "by itself",
        ),
        ("SELECT total FROM grouped ORDER BY n::text, n LIMIT @n", "takes for equal", "by itself"),
        ("SELECT 1 FROM (SELECT DISTINCT x FROM facts) g ORDER BY float8send(x), x LIMIT @n", "takes for equal", "by itself"),
        ("WITH g AS (SELECT DISTINCT c FROM facts) SELECT 1 FROM g ORDER BY octet_length(c), c LIMIT @n", "takes for equal", "by itself"),
        ("SELECT 1 FROM (SELECT n FROM facts UNION SELECT 1.000) g ORDER BY scale(n), n LIMIT @n", "takes for equal", "by itself"),
        (
            "SELECT 1 FROM (SELECT n, id, count(*) OVER (PARTITION BY n) k FROM facts) g ORDER BY scale(n), k, id LIMIT @n",
            "takes for equal",
            "by itself",
        ),
        (
            "SELECT 1 FROM (SELECT scale(max(n)) s, id % 3 AS i FROM facts GROUP BY 2) g ORDER BY s, i LIMIT @n",
            "takes for equal",
            "by itself",
        ),
        (
            "SELECT 1 FROM (SELECT scale(n) s, n FROM (SELECT n, max(id) AS id FROM facts GROUP BY n) f) g ORDER BY s, n LIMIT @n",
            "takes for equal",
            "by itself",
        ),
        (
            "SELECT 1 FROM (SELECT sum(x) s, id % 2 i FROM facts GROUP BY 2) g ORDER BY s, i LIMIT @n",
            "order in which rows are read",
            "numeric",
        ),
        (
            "SELECT 1 FROM (SELECT avg(x) s, id % 2 i FROM facts GROUP BY 2) g ORDER BY s, i LIMIT @n",
            "order in which rows are read",
            "numeric",
        ),
        (
            "SELECT 1 FROM (SELECT string_agg(note, '') s, user_id i FROM orders GROUP BY 2) g ORDER BY s, i LIMIT @n",
            "order in which rows are read",
            "",
        ),
        (
            "SELECT 1 FROM (SELECT id, row_number() OVER (ORDER BY n) r FROM facts) g ORDER BY r, id LIMIT @n",
            "order in which rows are read",
            "unique column",
        ),
        (
            "SELECT 1 FROM (SELECT id, sum(n) OVER (ORDER BY n ROWS 1 PRECEDING) r FROM facts) g ORDER BY r, id LIMIT @n",
            "order in which rows are read",
            "unique column",
        ),
        (
            "SELECT 1 FROM (SELECT DISTINCT ON (n) n, id FROM facts ORDER BY n) g ORDER BY id, n LIMIT @n",
            "order in which rows are read",
            "unique column",
        ),
        ("SELECT id FROM facts ORDER BY x::text, id LIMIT @n", "on a setting", "texts of floats"),
        ("SELECT id FROM facts ORDER BY b::text, id LIMIT @n", "on a setting", "texts of floats"),
        ("SELECT id FROM facts ORDER BY (ARRAY[x]::text[])[1], id LIMIT @n", "on a setting", "texts of floats"),
        ("SELECT id FROM facts ORDER BY textin(float8out(x)), id LIMIT @n", "on a setting", "texts of floats"),
        ("SELECT id FROM facts ORDER BY format('%s', x), id LIMIT @n", "on a setting", "texts of floats"),
        ("SELECT id FROM facts ORDER BY quote_ident(c), id LIMIT @n", "on a setting", "texts of floats"),
        (
            "SELECT id FROM facts, (SELECT 'small'::size AS s) g ORDER BY s, id LIMIT @n",
            "a user's function casts to text",
            "drop that cast",
        ),
        ("SELECT id FROM (SELECT id FROM facts FOR UPDATE) g ORDER BY id LIMIT @n", "locks rows", "by their keys"),
        ("SELECT id FROM facts TABLESAMPLE bernoulli (50) ORDER BY id LIMIT @n", "or on a sample", "REPEATABLE"),
        ("SELECT id FROM facts WHERE random() < 0.5 ORDER BY id LIMIT @n", "a volatile function", "remove it"),
        ("SELECT id FROM (SELECT id FROM facts ORDER BY n LIMIT 3) g ORDER BY id LIMIT @n", "may choose other rows", "unique column"),
        ("WITH f AS (SELECT * FROM facts) SELECT id FROM (SELECT id FROM f LIMIT 3) g ORDER BY id LIMIT @n", "not the same each time", ""),
    ],
)  # fmt: skip
def test_a_query_that_can_have_no_pages_is_refused_with_a_cure(
    connection: psycopg.Connection[Any], sql: str, words: str, cure: str
) -> None:
    code, message, help_ = refused(connection, "@page", sql)
    assert code is Code.REFUSED_PAGE
    assert words in message
    assert cure in help_


def test_every_order_that_is_not_total_is_named_at_its_line(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(CompileError) as error:
        prove(connection, "@page\n@order id\n@order a: placed_at\n@order b: total, state", "SELECT id FROM orders ORDER BY id LIMIT @n")
    found = [(diagnostic.place.line if diagnostic.place else 0, diagnostic.help) for diagnostic in error.value.diagnostics]
    assert found == [
        (3, "add a key that is never NULL: `placed_at, orders.id`."),
        (4, "add a key that is never NULL: `total, state, orders.id`."),
    ]


def test_a_comparison_is_by_the_operators_of_the_sort_whatever_else_has_their_names(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE OPERATOR < (leftarg = int4, rightarg = int4, procedure = int4gt)")
        connection.execute("SET LOCAL search_path = public, pg_catalog")
        paged = prove(connection, "@page", "SELECT id FROM orders ORDER BY id DESC LIMIT @n")
    assert paged.page.orders[0].after == (((), "id OPERATOR(pg_catalog.<) $2::int4"),)


# What serves each order, by the order and the direction, and in which parts PostgreSQL reads more than the page.
_INDEXED = """
CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL, size int NOT NULL, note text, due date);
INSERT INTO events
SELECT n, '2026-01-01'::timestamptz + n / 3 * interval '1 s', n % 7000, CASE WHEN n % 10 <> 5 THEN 'n' || n % 5000 END,
       CASE WHEN n % 10 > 0 THEN '2026-01-01'::date + n / 20 END
FROM generate_series(1, 20000) n;
CREATE INDEX ON events (at, id);
CREATE INDEX ON events (size DESC, id);
CREATE INDEX ON events (due DESC, id DESC);
CREATE INDEX ON events (lower(note), at DESC, id);
CREATE INDEX ON events (coalesce(due, 'infinity'), id);
VACUUM ANALYZE events;
"""
_ORDERS = """@page
@order newest
@order largest: size DESC, id
@order due: due DESC, id DESC
@order note: lower(note), at DESC, id
@order always: coalesce(due, 'infinity'), id"""


@dataclass(frozen=True)
class Events:
    """A connection to a database with events, the pages of their query, and keys of rows by the order."""

    connection: psycopg.Connection[Any]
    paged: Paged
    keys: dict[str, list[list[str | None]]]


@pytest.fixture(scope="module")
def events(servers: Servers, major: int) -> Iterator[Events]:
    with fresh_database(servers, major, "events") as connection:
        connection.autocommit = True
        for statement in _INDEXED.split(";\n"):
            connection.execute(statement.encode())
        paged = prove(connection, _ORDERS, "SELECT id, note FROM events ORDER BY at DESC, id DESC LIMIT @n")
        yield Events(connection, paged, {order.name: _keys(connection, paged, order) for order in paged.page.orders})


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_every_page_is_read_from_an_index_from_where_it_begins(events: Events, mode: str) -> None:
    connection, paged = events.connection, events.paged
    connection.execute(f"SET plan_cache_mode = {mode}".encode())
    read: dict[tuple[str, bool, int], int] = {}
    for order in paged.page.orders:
        for backwards, conditions in ((False, order.after), (True, order.before)):
            for nulls, _ in conditions:
                keys = _keys_in_the_middle(events.keys[order.name], nulls)
                page = write_page(paged.pieces, paged.count, Turn(order.name, backwards, nulls))
                connection.execute(f"PREPARE page AS {page.sql}".encode())
                values = ", ".join(f"'{value}'" for value in (11, *keys))
                ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE page ({values})".encode()).fetchall()
                connection.execute("DEALLOCATE page")
                nodes = list(_nodes(plan[0]["Plan"]))
                assert [node["Node Type"] for node in nodes] == ["Limit", "Index Scan"], (order.name, backwards, nulls, plan)
                read[order.name, backwards, len(nulls)] = nodes[1].get("Rows Removed by Filter", 0)
    # No range of an index holds its NULLs together with other values: a page that may have both reads what is before it, and drops that.
    beyond = {key: rows for key, rows in read.items() if rows > 10}
    assert set(beyond) == {("due", False, 1), ("due", True, 0), ("note", False, 0), ("note", True, 1)}
    assert len(read) == 14


def _keys(connection: psycopg.Connection[Any], paged: Paged, order: PageOrder) -> list[list[str | None]]:
    """Return the keys of every 97th row, in the order."""
    first = write_page(paged.pieces, paged.count, Turn(order.name))
    return [keys_of(order, row[-1]) for row in RawCursor(connection).execute(first.sql.encode(), [30000]).fetchall()[::97]]


def _keys_in_the_middle(keys: list[list[str | None]], nulls: tuple[int, ...]) -> list[str]:
    """Return the keys of a row from the middle of those that are NULL where wanted."""
    fitting = [row for row in keys if tuple(index for index, key in enumerate(row) if key is None) == nulls]
    return [key for key in fitting[len(fitting) // 2] if key is not None]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
