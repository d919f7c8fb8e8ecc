"""Variants on real servers: PostgreSQL reads each as the statement without those parts, and one proof holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import pq

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.prove.statement import Cardinality, StatementProof
from sqlwright.sql.variants import Cut, write_variant
from tests.support.servers import Servers, fresh_database
from tests.support.stages import unproven

from .proving import prove_query

_INSEPARABLE = Code.INSEPARABLE_CONDITION
_SCHEMA = """
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text, tags text[] NOT NULL, version int NOT NULL DEFAULT 1);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int NOT NULL, state state NOT NULL, total numeric(10, 2), note varchar(9), search tsvector,
    UNIQUE (user_id, state)
);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN refusing AS text CHECK (VALUE IS NOT NULL);
CREATE TABLE things (
    id int PRIMARY KEY, must text NOT NULL, may text, short short, short_must short NOT NULL, filled filled, refusing refusing,
    total numeric(10, 2), number int NOT NULL, tags text[] NOT NULL, shorts short[]
);
INSERT INTO things VALUES (1, '', '', '', '', '', '', 1, 1, '{}', '{}');
"""


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "variants") as connection:
        connection.execute(_SCHEMA)
        yield connection


@dataclass
class Varied:
    """A query with variants, as it is proven."""

    sql: str
    cut: Cut
    whole: StatementProof
    proof: StatementProof
    count: int
    total: list[bool]

    def least(self) -> str:
        """The statement without all that may leave."""
        return write_variant(self.sql, self.cut, self.count, set(self.cut.optional)).sql

    def nullable(self) -> list[bool]:
        """Which columns may be NULL."""
        return [column.nullable for column in self.proof.columns]


def vary(connection: psycopg.Connection, comment: str, sql: str, *, every: bool = True) -> Varied:
    """Prove a query with variants; every one of them is verified."""
    proven = prove_query(connection, comment, sql, every=every)
    return Varied(proven.sql, proven.cut, proven.whole, proven.proof, len(proven.param_types), [bool(o.total) for o in proven.orders])


def refused(connection: psycopg.Connection, comment: str, sql: str) -> Diagnostic:
    """The error for a query."""
    with pytest.raises(CompileError) as error:
        vary(connection, comment, sql)
    (diagnostic,) = error.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("comment", "sql"),
    [
        ("@optional a, b, c", "SELECT 1 FROM orders WHERE state = @a AND id BETWEEN @b AND 9 AND (total, id) > (@c, 1) AND note IS NULL"),
        ("@optional a, b", "SELECT id FROM orders WHERE id = ANY(@a::int[]) AND search @@ plainto_tsquery(@b)"),
        ("@optional a, b", "SELECT 1 FROM orders WHERE note IS NOT DISTINCT FROM @a AND id NOT BETWEEN @b AND 3"),
        ("@optional a, b, c", "SELECT 1 FROM orders WHERE (id, user_id) <> (@a, @b) AND @c IN (id, user_id) AND note IN ('a', 'b')"),
        ("@optional a", "SELECT id FROM orders WHERE (user_id, id) = (@a, 1) AND CASE WHEN id > @a THEN true ELSE false END"),
        ("@optional a, b", "SELECT 1 FROM orders WHERE id = @a AND id >= ANY (SELECT id FROM users) AND user_id = @b"),
        ("@optional a, b", "SELECT id FROM orders o WHERE @a IN (SELECT id FROM users) AND @b::text IS NOT NULL OFFSET 1"),
        ("@optional a, b", "SELECT 1 FROM (SELECT 1 i FROM users WHERE id = @a) o LEFT JOIN (SELECT 1 i WHERE @b > 0) u USING (i)"),
        ("@optional a", "WITH RECURSIVE t AS (SELECT 1 AS n WHERE @a > 0 UNION ALL SELECT n + 1 FROM t WHERE n < @a) SELECT n FROM t"),
        ("@optional a, b", "SELECT id FROM orders WHERE id = @a UNION SELECT id FROM users WHERE id = @b EXCEPT SELECT 1 ORDER BY 1"),
        ("@optional a", "SELECT state, count(*), id % @n FROM orders WHERE total > @a GROUP BY state, id % @n"),
        ("@optional a", "INSERT INTO users (id, name, tags) SELECT id, @b, '{}' FROM orders WHERE id = @a ON CONFLICT DO NOTHING"),
        ("@optional a", "DELETE FROM orders USING users u WHERE u.id = orders.user_id AND orders.state = @a RETURNING u.name"),
        ("@optional a", "MERGE INTO orders o USING (SELECT * FROM users WHERE id = @a) u ON o.id = u.id WHEN MATCHED THEN DELETE"),
        ("@patch", "UPDATE users SET name = @a, nick = @b, tags = @c, version = version + 1 WHERE id = @id RETURNING name, nick, tags"),
        ("@patch a, c", "UPDATE users AS u SET name = lower(@a) || @a, tags = @c, nick = @b FROM orders o WHERE o.id = u.id"),
        ("@patch a\n@optional x", 'UPDATE users "U" SET name = @a, "nick" = @b WHERE id = @id AND version = @x RETURNING *'),
        ("@order a\n@order b: total DESC NULLS LAST, o.id\n@order c: lower(note)", "SELECT note FROM orders o ORDER BY id LIMIT 3"),
        ("@optional a\n@order x\n@order y: 2\n@order z: min(id)", "SELECT note, count(*) FROM orders WHERE id = @a GROUP BY 1 ORDER BY 1"),
        ("@order own\n@order b: note DESC", "SELECT DISTINCT id, note FROM orders ORDER BY 1"),
    ],
)  # fmt: skip
def test_postgresql_reads_every_variant_as_the_statement_without_those_parts(
    connection: psycopg.Connection, comment: str, sql: str, major: int
) -> None:
    if "RETURNING" in sql and "MERGE" in sql and major < 17:
        pytest.skip("MERGE … RETURNING")
    assert vary(connection, comment, sql).cut != Cut()


def test_what_a_condition_proves_is_known_only_where_it_always_is(connection: psycopg.Connection) -> None:
    found = vary(connection, "@optional a", "SELECT total, note FROM orders WHERE total > @a AND note > @b")
    assert ([column.nullable for column in found.whole.columns], found.nullable()) == ([False, False], [True, False])


def test_at_most_one_row_needs_the_key_in_every_variant(connection: psycopg.Connection) -> None:
    kept = vary(connection, "@optional a", "SELECT 1 FROM orders WHERE user_id = @u AND state = @s AND id = @a")
    lost = vary(connection, "@optional s", "SELECT 1 FROM orders WHERE user_id = @u AND state = @s")
    assert (kept.proof.rows.cardinality, lost.proof.rows.cardinality) == (Cardinality.AT_MOST_ONE, Cardinality.MANY)
    assert lost.whole.rows.cardinality is Cardinality.AT_MOST_ONE


def test_exactly_one_row_is_lost_to_a_condition_that_may_be_there(connection: psycopg.Connection) -> None:
    lost = vary(connection, "@optional a", "SELECT 1 WHERE @a > 1")
    kept = vary(connection, "@optional a", "SELECT count(*), max(id) FROM orders WHERE id > @a")
    assert lost.least() == "SELECT 1"
    assert (lost.proof.rows.cardinality, kept.proof.rows.cardinality) == (Cardinality.AT_MOST_ONE, Cardinality.EXACTLY_ONE)
    assert kept.nullable() == [False, True]


def test_a_fact_that_each_end_has_for_another_reason_is_not_proven_between_them(connection: psycopg.Connection) -> None:
    # Without both conditions there is always a row to aggregate, with both the value is compared; with the first alone it is NULL.
    sql = "SELECT s.m FROM (SELECT max(x) AS m FROM (SELECT 1 AS x WHERE @a > 0) t) s WHERE s.m = @b"
    found = vary(connection, "@optional a, b", sql)
    least = vary(connection, "@optional b", "SELECT s.m FROM (SELECT max(x) AS m FROM (SELECT 1 AS x) t) s WHERE s.m = @b")
    assert (found.whole.columns[0].nullable, least.nullable(), found.nullable()) == (False, [False], [True])
    between = write_variant(found.sql, found.cut, 2, {2}).sql
    assert connection.execute(between.replace("$1::int4", "0").encode()).fetchall() == [(None,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT u.name FROM orders o LEFT JOIN (SELECT * FROM users WHERE nick = @a) u ON u.id = o.user_id",
        "WITH c AS (SELECT nick FROM users WHERE nick = @a) SELECT nick FROM c UNION ALL SELECT (SELECT max(nick) FROM c)",
        "SELECT nick FROM users EXCEPT SELECT nick FROM users WHERE nick = @a",
        "SELECT (SELECT n FROM (SELECT nick AS n FROM users WHERE nick = @a) s LIMIT 1)",
        "SELECT max(nick) OVER (ORDER BY id ROWS 1 PRECEDING) FROM (SELECT * FROM users WHERE nick = @a) s",
    ],
)
def test_a_column_that_some_variant_makes_null_is_nullable(connection: psycopg.Connection, sql: str) -> None:
    if sql.startswith("SELECT ("):
        # A subquery in FROM of a scalar subquery: not clear enough.
        assert refused(connection, "@optional a", sql).code is _INSEPARABLE
        return
    assert vary(connection, "@optional a", sql).nullable() == [True]


def test_what_a_patch_returns_is_proven_of_the_column_and_of_the_value(connection: psycopg.Connection) -> None:
    sql = "UPDATE users SET name = @a, nick = @b, tags = @c WHERE id = @id RETURNING name, nick, tags"
    found = vary(connection, "@patch", sql)
    assert found.nullable() == [False, True, False]
    assert [param.nullable for param in found.proof.params] == [False, True, False, False]
    assert found.proof.rows.cardinality is Cardinality.AT_MOST_ONE


def test_the_value_of_a_patch_proves_nothing_of_a_column_that_it_may_leave_alone(connection: psycopg.Connection) -> None:
    sql = "UPDATE users SET nick = upper(@a), name = @b WHERE id = @id RETURNING nick"
    found = vary(connection, "@patch a, b", sql)
    assert ([column.nullable for column in found.whole.columns], found.nullable()) == ([False], [True])


@pytest.mark.parametrize(
    "column",
    ["must", "may", "short", "short_must", "filled", "refusing", "total", "number", "tags", "shorts"],
)
@pytest.mark.parametrize("value", ["$1", "$1::{0}", "CAST(($1)::text AS {0})::{0}"])
def test_a_patch_takes_none_exactly_where_the_column_does(connection: psycopg.Connection, column: str, value: str) -> None:
    types = {"total": "numeric", "number": "int", "tags": "text[]", "shorts": "short[]"}
    declared = types.get(column, column if column in {"short", "filled", "refusing"} else "text")
    found = vary(connection, "@patch", f"UPDATE things SET {column} = {value.format(declared)}, id = id WHERE id = 1 RETURNING {column}")
    with connection.transaction(force_rollback=True):
        result = connection.pgconn.exec_params(found.sql.encode(), [None])
        is_taken = result.status == pq.ExecStatus.TUPLES_OK
    assert (found.proof.params[0].nullable, found.nullable()[0] or not is_taken) == (is_taken, True)


@pytest.mark.parametrize(
    ("assignment", "given"),
    [
        ("total = $1::numeric / 100", b"250"),
        ("may = nullif($1, '')", b""),
        ("number = $1::numeric * 2", b"1.4"),
        ("tags = array_append(tags, $1)", b"x"),
        ("short = left($1, 3)", b"longer than that"),
        ("short_must = (SELECT max(must) || $1 FROM things)", b"x"),
    ],
)
def test_a_patch_with_a_computed_value_is_proven_with_and_without_it(connection: psycopg.Connection, assignment: str, given: bytes) -> None:
    column = assignment.split(maxsplit=1)[0]
    found = vary(connection, "@patch", f"UPDATE things SET must = $2, {assignment} WHERE id = 1 RETURNING {column}")
    alone = write_variant(found.sql, found.cut, 2, {1}).sql
    for sql, values in ((found.sql, [given, b"x"]), (alone, [b"x"])):
        with connection.transaction(force_rollback=True):
            result = connection.pgconn.exec_params(sql.encode(), values)
            assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
            assert found.nullable()[0] or result.get_value(0, 0) is not None
    assert not found.proof.params[0].nullable


def test_a_reason_points_into_the_statement_itself(connection: psycopg.Connection) -> None:
    user = "(SELECT nick FROM users WHERE name = @a AND tags = @b)"
    sql = f"SELECT o.id, u.nick FROM orders o JOIN {user} u ON true WHERE o.id = @c AND u.nick = @d"
    found = vary(connection, "@optional a, b, c, d", sql)
    places = [found.sql[column.location or 0 :] for column in found.proof.columns]
    assert [place[:6] for place in places] == ["o.id, ", "nick F"]


@pytest.mark.parametrize(
    ("comment", "sql", "code", "message"),
    [
        ("@optional a", "SELECT 1 FROM users WHERE id = @a OR name = 'x'", _INSEPARABLE, "under OR"),
        ("@optional a", "SELECT 1 FROM users WHERE NOT (id = @a)", _INSEPARABLE, "under NOT"),
        ("@optional a", "SELECT 1 WHERE EXISTS (SELECT FROM orders WHERE id = @a)", _INSEPARABLE, "in a subquery"),
        ("@optional a", "SELECT 1 FROM users JOIN orders o ON o.id = @a", _INSEPARABLE, "in the ON of a join"),
        ("@optional a", "SELECT state FROM orders GROUP BY 1 HAVING count(*) > @a", _INSEPARABLE, "in HAVING"),
        ("@optional a", "SELECT @a::int FROM users WHERE id = @a", _INSEPARABLE, "in the list of columns"),
        ("@optional a", "SELECT 1 FROM users WHERE id = @a LIMIT @a", _INSEPARABLE, "in LIMIT"),
        ("@optional a", "UPDATE users SET name = @a WHERE id = 1", _INSEPARABLE, "in SET"),
        ("@optional a", "SELECT count(*) FILTER (WHERE id = @a) FROM users", _INSEPARABLE, "in the list of columns"),
        ("@optional a", "SELECT 1 FROM generate_series(1, @a)", _INSEPARABLE, "outside of a condition"),
        ("@optional a", "SELECT 1 FROM users WHERE id BETWEEN @a AND @b", _INSEPARABLE, "`b` is required"),
        ("@optional a", "MERGE INTO orders o USING users u ON o.id = @a WHEN MATCHED THEN DELETE", _INSEPARABLE, "in the ON"),
        ("@optional a", "DELETE FROM users WHERE id = @a", Code.UNGUARDED_WRITE, "without `a`, it would write every row"),
        ("@optional a", "WITH d AS (UPDATE users SET nick = NULL WHERE id = @a) SELECT 1", Code.UNGUARDED_WRITE, "every row"),
        ("@patch", "SELECT 1 FROM users WHERE id = @a", Code.REFUSED_PATCH, "not an UPDATE"),
        ("@patch", "INSERT INTO orders VALUES (@a, 1, 'new') ON CONFLICT (id) DO UPDATE SET id = 1", Code.REFUSED_PATCH, "not an UPDATE"),
        ("@patch", "UPDATE users SET version = version + 1 WHERE id = @a", Code.REFUSED_PATCH, "no assignment of SET has a parameter"),
        ("@patch", "UPDATE users SET version = @a + 1 WHERE version = @a", Code.REFUSED_PATCH, "no assignment of SET has a parameter"),
        ("@patch name, id", "UPDATE users SET name = @name WHERE id = @id", Code.REFUSED_PATCH, "`id`, which no assignment"),
        ("@patch", "UPDATE users SET (name, nick) = ($1, $2) WHERE id = $3", Code.REFUSED_PATCH, "a whole column"),
        ("@patch a", "UPDATE users SET tags[1] = @a WHERE id = 1", Code.REFUSED_PATCH, "a whole column"),
        ("@patch", "UPDATE users SET name = @a WHERE nick = @a", _INSEPARABLE, "outside of a condition"),
        ("@order a", "SELECT 1 FROM users", Code.REFUSED_ORDER, "no ORDER BY of its own"),
        ("@order a: id", "SELECT id, name FROM users ORDER BY name", Code.REFUSED_ORDER, "which is the default"),
        ("@order a\n@order b", "SELECT id, name FROM users ORDER BY name", Code.REFUSED_ORDER, "two orders without columns"),
        ("@order a\n@order b: nme", "SELECT id FROM users ORDER BY name", Code.REFUSED_ORDER, '"nme" does not exist'),
        ("@order a\n@order b: id UPWARDS", "SELECT id FROM users ORDER BY name", Code.REFUSED_ORDER, "syntax error"),
        ("@order a\n@order b: id", "SELECT 1 FROM users u JOIN orders o ON true ORDER BY u.id", Code.REFUSED_ORDER, "is ambiguous"),
        ("@order a\n@order b: id LIMIT 1", "SELECT id FROM users ORDER BY name", Code.REFUSED_ORDER, "more than a list"),
        ("@order a\n@order b: id --", "SELECT id FROM users ORDER BY name LIMIT 3", Code.REFUSED_ORDER, "more than a list"),
        ("@order a\n@order b: generate_series(1, 3)", "SELECT id FROM users ORDER BY name", Code.REFUSED_ORDER, "more than a list"),
        (
            "@order a\n@order b: generate_series(1, 3), id",
            "SELECT id, generate_series(1, 2) FROM users ORDER BY id",
            Code.REFUSED_ORDER,
            "more than a list",
        ),
        ("@order a\n@order b: count(*)", "SELECT 1 FROM users ORDER BY 1", Code.REFUSED_ORDER, "more than a list"),
        ("@order a\n@order b: id + @x", "SELECT id FROM users WHERE id > @x ORDER BY name", Code.REFUSED_ORDER, "no parameters"),
        ("@order a\n@order b: id; DROP TABLE users", "SELECT id FROM users ORDER BY name", Code.REFUSED_ORDER, "`;` is no part of a list"),
        ("@order a", "DELETE FROM users WHERE id = @x", Code.REFUSED_ORDER, "no ORDER BY of its own"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused_with_a_cure(connection: psycopg.Connection, comment: str, sql: str, code: Code, message: str) -> None:
    found = refused(connection, comment, sql)
    assert (found.code, message in found.message, bool(found.help), found.place is not None) == (code, True, True, True), found


def test_a_mistake_in_an_order_is_shown_at_its_place_with_a_suggestion(connection: psycopg.Connection) -> None:
    found = refused(connection, "@order a\n@order b: id, lower(nme) DESC", "SELECT id FROM users ORDER BY name")
    assert (str(found.place), found.place and found.place.width, found.help) == ("queries/users.sql:2:24", 3, "did you mean `name`?")


def test_every_inseparable_parameter_is_reported_at_its_place(connection: psycopg.Connection) -> None:
    with pytest.raises(CompileError) as error:
        vary(connection, "@optional a, b", "SELECT 1 FROM users\nWHERE id = @a OR id = 2\nLIMIT @b")
    assert [str(found.place) for found in error.value.diagnostics] == ["queries/users.sql:4:12", "queries/users.sql:5:7"]


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("(@a::text IS NULL OR nick = @a::text)", "nick = @a::text"),
        ("nick = @a OR @a IS NULL", "nick = @a"),
        ("((@a::text IS NULL) OR (nick\n  = lower(@a)))", "(nick = lower(@a))"),
        ("(sqlc.narg(a)::text IS NULL OR nick = sqlc.narg('a')::text)", "nick = @a::text"),
    ],
)
def test_a_filter_with_its_own_test_for_null_needs_only_its_condition(connection: psycopg.Connection, condition: str, written: str) -> None:
    found = refused(connection, "@optional a", f"SELECT id FROM users WHERE {condition} ORDER BY id")
    assert (found.code, found.help) == (
        _INSEPARABLE,
        f"write only `{written}`: the condition leaves when the argument is left out.",
    )


@pytest.mark.parametrize(
    ("sql", "place"),
    [("DELETE FROM users\nWHERE id = @a", "4:10"), ("SELECT 1 FROM users\nWHERE id BETWEEN @a AND @b", "4:25")],
)
def test_a_condition_that_must_not_leave_is_shown_in_the_statement(connection: psycopg.Connection, sql: str, place: str) -> None:
    assert str(refused(connection, "@optional a", sql).place) == f"queries/users.sql:{place}"


def test_an_order_equal_to_the_statements_own_is_the_default(connection: psycopg.Connection) -> None:
    found = vary(connection, "@order id: id DESC\n@order name: users.name, id", "SELECT id FROM users ORDER BY name, users.id")
    assert found.cut.orders == ("name", "id")


def test_ir_names_what_varies() -> None:
    (query,) = unproven("-- name: Q :many\n-- @optional a\nSELECT 1 WHERE @a = 1;\n").modules[0].queries
    assert query.variation == ir.Variation(frozenset({1}))


@pytest.mark.parametrize(
    ("sql", "orders", "total"),
    [
        ("SELECT name FROM users ORDER BY id LIMIT 1", ["name, id DESC", "name", "nick, version", "lower(name), id"], [1, 1, 0, 0, 1]),
        ("SELECT o.id FROM orders o JOIN users u ON u.id = o.user_id ORDER BY o.id", ["u.id", "u.id, o.state", "o.state"], [1, 0, 1, 0]),
        ("SELECT o.id FROM orders o JOIN users u ON true ORDER BY o.id", ["o.id, u.id", "u.id"], [0, 1, 0]),
        ("SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id ORDER BY u.id, o.id", ["u.id", "o.id"], [1, 0, 0]),
        ("SELECT 1 FROM users u LEFT JOIN (orders o JOIN users v ON true) ON true ORDER BY u.id, o.id, v.id", ["u.id, o.id"], [1, 0]),
        ("SELECT 1 FROM users u LEFT JOIN (orders o LEFT JOIN users v ON true) ON true ORDER BY u.id, v.id", ["u.id, v.id, o.id"], [0, 1]),
        (
            "SELECT 1 FROM orders o RIGHT JOIN users u ON o.user_id = u.id ORDER BY o.id DESC, u.id",
            ["o.state, u.id", "o.total, u.id"],
            [1, 1, 0],
        ),
        ("SELECT 1 FROM orders o FULL JOIN users u ON o.user_id = u.id ORDER BY o.id DESC, u.id", [], [0]),
        ("SELECT 1 FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL ORDER BY u.id", ["o.id"], [1, 0]),
        ("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state", ["2", "2, 1"], [1, 0, 1]),
        ("SELECT DISTINCT name, version FROM users ORDER BY 1", ["1, 2", "2 DESC"], [0, 1, 0]),
        ("SELECT id FROM users UNION ALL SELECT id FROM orders ORDER BY 1", [], [0]),
        ("SELECT id, state FROM orders WHERE user_id = @a ORDER BY state", [], [1]),
        ("SELECT id FROM (SELECT id FROM users WHERE id > @a) s ORDER BY id", ["id DESC NULLS LAST"], [1, 1]),
        ("SELECT id, generate_series(1, 2) FROM users ORDER BY id", [], [0]),
    ],
)
def test_an_order_is_total_if_its_columns_leave_one_row(
    connection: psycopg.Connection, sql: str, orders: list[str], total: list[int]
) -> None:
    comment = "\n".join(["@order own", *(f"@order o{number}: {by}" for number, by in enumerate(orders))])
    assert vary(connection, comment, sql).total == list(map(bool, total))


def test_an_order_is_total_only_if_it_is_so_without_the_conditions(connection: psycopg.Connection) -> None:
    sql = "SELECT id FROM orders WHERE user_id = @a ORDER BY state"
    assert (vary(connection, "@order own", sql).total, vary(connection, "@optional a\n@order own", sql).total) == ([True], [False])


@pytest.mark.parametrize(
    ("comment", "proposed"),
    [
        ("@order a: nme\n@order b: name DESC, id", "`ORDER BY name DESC, id`"),
        ("@order a: nme", "`ORDER BY column`"),
        ("@order a: id UPWARDS\n@order b: id", "`ORDER BY id`"),
    ],
)
def test_the_default_order_that_is_proposed_is_one_that_postgresql_accepts(
    connection: psycopg.Connection, comment: str, proposed: str
) -> None:
    assert proposed in refused(connection, comment, "SELECT id FROM users").help


def test_orders_that_share_a_line_are_to_be_on_lines_of_their_own(connection: psycopg.Connection) -> None:
    for sql in ("SELECT id FROM users", "SELECT id FROM users ORDER BY id"):
        found = refused(connection, "@order label: name, id; newest: id DESC", sql)
        assert (found.message, found.help) == (
            "query Q, @order label: `;` is no part of a list for ORDER BY",
            "write each order on a line of its own, without `;`: `-- @order name: column DESC, column`.",
        )
