"""`@count` and `@exists` on real servers: they ask about the rows of their query, and are refused where that is not certain."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

import psycopg
import pytest

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.prove.asking.describe import TypeNames, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.derived import read_original, verify_derived
from sqlwright.prove.statement import Cardinality, Statement, prove_statement
from sqlwright.prove.variants import cut_variants, prove_variants
from sqlwright.sql.placeholders import with_casts
from sqlwright.sql.variants import Cut, write_variant
from tests.support.servers import Servers, fresh_database
from tests.support.stages import unproven

_SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, a int, b text NOT NULL);
CREATE TABLE u (id int PRIMARY KEY, t_id int);
INSERT INTO t SELECT n, nullif(n % 3, 0), chr(97 + n % 4) FROM generate_series(1, 12) n;
INSERT INTO u SELECT n, n / 2 FROM generate_series(1, 9) n;
CREATE FUNCTION next_one() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE VIEW odd AS SELECT id, next_one() AS n FROM t;
"""


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "derived") as connection:
        connection.execute(_SCHEMA)
        yield connection


def derive(connection: psycopg.Connection, comment: str, sql: str) -> list[tuple[str, Cut, int]]:
    """Prove the statements that a query's annotations ask for: texts, where their variants differ, and numbers of parameters."""
    text = "".join(f"-- {line}\n" for line in comment.splitlines()) + f"-- name: Q :many\n{sql};\n"
    facts, types = SchemaFacts.load(connection), TypeNames(connection)
    found: list[tuple[str, Cut, int]] = []
    with connection.transaction(force_rollback=True):
        for query in unproven(text).modules[0].queries[1:]:
            assert query.derivation
            original = read_original(connection, query, query.derivation)
            guessed = describe(connection, query.sql, {})
            casts = {number: types.cast_name(oid) for number, oid in enumerate(guessed.params, start=1)}
            statement = Statement(with_casts(query.sql, casts), tuple(casts.values()), frozenset(), returns_rows=True)
            described = describe(connection, statement.sql, {})
            verify_derived(connection, facts, query, statement, query.derivation, original)
            proof, cut = prove_statement(connection, facts, statement), Cut()
            if query.variation:
                cut = cut_variants(connection, facts, query, statement, described, every=True)
                proof = prove_variants(connection, facts, statement, cut, proof)
            assert (proof.rows.cardinality, [column.nullable for column in proof.columns]) == (Cardinality.EXACTLY_ONE, [False])
            found.append((statement.sql, cut, len(casts)))
    return found


@pytest.mark.parametrize(
    ("sql", "optional"),
    [
        ("SELECT id FROM t WHERE a = @a AND b > @b", "a, b"),
        ("SELECT DISTINCT a FROM t WHERE b > @b::text", "b"),
        ("SELECT DISTINCT ON (b) b, id FROM t WHERE a >= @a ORDER BY b, id DESC", "a"),
        ("SELECT a, count(*) FROM t WHERE b <> @b::text GROUP BY a HAVING count(*) > 1 ORDER BY 2 DESC, 1", "b"),
        ("SELECT id, sum(id) OVER (PARTITION BY a ORDER BY b, id) FROM t WHERE a = @a ORDER BY b, id", "a"),
        ("SELECT id, rank() OVER w FROM t WINDOW w AS (ORDER BY a) ORDER BY lower(b)", ""),
        ("SELECT id FROM t WHERE a = @a UNION SELECT id FROM u WHERE t_id = @c ORDER BY 1", "a, c"),
        ("WITH x AS (SELECT * FROM u WHERE t_id > @c) SELECT t.*, x.* FROM t LEFT JOIN x ON x.t_id = t.id WHERE b = @b ORDER BY 1", "b, c"),
        ("SELECT t.id, s.id FROM t CROSS JOIN LATERAL (SELECT id FROM u WHERE t_id = t.id ORDER BY id LIMIT 1) s WHERE a = @a", "a"),
        ("SELECT generate_series(1, a) FROM t WHERE b = @b ORDER BY id", "b"),
        ("SELECT id FROM t TABLESAMPLE BERNOULLI (50) REPEATABLE (1) WHERE a = @a", "a"),
        ("VALUES (1), (2) ORDER BY 1", ""),
        ("SELECT a, b, count(*) FROM t WHERE a > @a GROUP BY ROLLUP (a, b)", "a"),
    ],
)
def test_every_variant_says_how_many_rows_the_query_has_without_its_limit(connection: psycopg.Connection, sql: str, optional: str) -> None:
    comment = "@count\n@exists" + (f"\n@optional {optional}" if optional else "")
    limited = f"{sql} LIMIT 2 OFFSET 1"
    values = {"a": b"1", "b": b"b", "c": b"2"}
    names = [name for name in optional.split(", ") if name]
    (query, *_) = unproven(f"-- name: Q :many\n{sql};\n").modules[0].queries
    rows_cut = derive_cut(connection, f"@optional {optional}" if optional else "", sql)
    count, exists = derive(connection, comment, limited)
    for omitted in chain.from_iterable(combinations(range(1, len(names) + 1), some) for some in range(len(names) + 1)):
        given = {param.number: values[param.name] for param in query.params if param.number not in omitted}

        def run(
            text: str, cut: Cut, number: int, given: dict[int, bytes] = given, gone: tuple[int, ...] = omitted
        ) -> list[list[bytes | None]]:
            variant = write_variant(text, cut, number, set(gone))
            result = connection.pgconn.exec_params(variant.sql.encode(), [given[each] for each in variant.params])
            return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]

        rows = run(*rows_cut)
        assert run(*count) == [[str(len(rows)).encode()]]
        assert run(*exists) == [[b"t" if rows else b"f"]]


def derive_cut(connection: psycopg.Connection, comment: str, sql: str) -> tuple[str, Cut, int]:
    """The query itself, with casts, and where its variants differ."""
    text = (f"-- {comment}\n" if comment else "") + f"-- name: Q :many\n{sql};\n"
    (query,) = unproven(text).modules[0].queries
    facts, types = SchemaFacts.load(connection), TypeNames(connection)
    with connection.transaction(force_rollback=True):
        casts = {n: types.cast_name(oid) for n, oid in enumerate(describe(connection, query.sql, {}).params, start=1)}
        statement = Statement(with_casts(query.sql, casts), tuple(casts.values()), frozenset(), returns_rows=True)
        cut = Cut()
        if query.variation:
            cut = cut_variants(connection, facts, query, statement, describe(connection, statement.sql, {}))
        return statement.sql, cut, len(casts)


def refused(connection: psycopg.Connection, sql: str) -> Diagnostic:
    with pytest.raises(CompileError) as error:
        derive(connection, "@count", sql)
    (found,) = error.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id FROM t FOR UPDATE", "locks its rows"),
        ("SELECT id FROM (SELECT id FROM t FOR SHARE) s", "locks its rows"),
        ("DELETE FROM t RETURNING id", "writes, and would write again"),
        ("WITH d AS (DELETE FROM t RETURNING id) SELECT id FROM d", "writes, and would write again"),
        ("SELECT next_one() FROM t", "calls a volatile function"),
        ("SELECT id FROM t WHERE random() < 0.5", "calls a volatile function"),
        ("SELECT id FROM odd", "calls a volatile function"),
        ("SELECT id FROM t TABLESAMPLE BERNOULLI (50)", "takes a sample"),
        ("SELECT id FROM t ORDER BY generate_series(1, 3)", "as another one"),
        ("SELECT id, generate_series(1, 2) FROM t ORDER BY generate_series(1, 3), id", "as another one"),
        ("SELECT 1 FROM t ORDER BY count(*)", "as another one"),
        ("(SELECT id FROM t ORDER BY id LIMIT 3)", "as another one"),
    ],
)
def test_what_is_not_certain_is_refused_at_the_annotation(connection: psycopg.Connection, sql: str, message: str) -> None:
    found = refused(connection, sql)
    assert (found.code, message in found.message, bool(found.help)) == (Code.REFUSED_DERIVATION, True, True), found
    assert str(found.place) == "queries/users.sql:1:1"


def test_an_order_that_is_volatile_does_not_matter_to_the_number(connection: psycopg.Connection) -> None:
    assert len(derive(connection, "@count", "SELECT id FROM t ORDER BY random() LIMIT 1")) == 1
