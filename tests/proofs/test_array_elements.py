"""With `array_elements: nullable`, a CHECK constraint that refuses NULL elements proves those of a column."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Statement, StatementProof, prove_statement
from tests.support.servers import Servers, fresh_database

CHECK = "CHECK (array_position(tags, NULL) IS NULL)"
HOLES = ("'{a,NULL}'", "'{{a,NULL},{b,c}}'", "'[5:6]={a,NULL}'", "ARRAY[NULL]::text[]")

# Statements that make table `t` with the column `tags`.
REFUSED = {
    "a CHECK": f"CREATE TABLE t (tags text[] {CHECK})",
    "one of several conditions": f"CREATE TABLE t (tags text[], n int, {CHECK[:-1]} AND n > 0))",
    "a varchar, which is seen as text": "CREATE TABLE t (tags varchar[] CHECK (array_position(tags::text[], NULL) IS NULL))",
    "an array of a matrix": f"CREATE TABLE t (tags text[][] {CHECK})",
    "a parent whose children inherit it": f"CREATE TABLE t (tags text[] {CHECK}); CREATE TABLE u () INHERITS (t)",
    "a partitioned table": f"CREATE TABLE t (tags text[] {CHECK}, n int) PARTITION BY LIST (n); CREATE TABLE u PARTITION OF t DEFAULT",
}
ALLOWED = {
    "no CHECK": "CREATE TABLE t (tags text[])",
    "a CHECK that is not valid": f"CREATE TABLE t (tags text[]); INSERT INTO t VALUES ('{{NULL}}'); ALTER TABLE t ADD {CHECK} NOT VALID",
    "a CHECK of the rest": "CREATE TABLE t (tags text[] CHECK (array_position(tags, NULL, 2) IS NULL))",
    "a CHECK for a value": "CREATE TABLE t (tags text[] CHECK (array_position(tags, 'x') IS NULL))",
    "a CHECK of another column": f"CREATE TABLE t (tags text[], others text[] {CHECK.replace('tags', 'others')})",
    "one of two conditions": f"CREATE TABLE t (tags text[], n int, {CHECK[:-1]} OR n IS NULL))",
    "a parent whose children need not": f"CREATE TABLE t (tags text[] {CHECK} NO INHERIT); CREATE TABLE u () INHERITS (t)",
    "a function of that name": (
        "CREATE SCHEMA own; CREATE FUNCTION own.array_position(text[], text) RETURNS int LANGUAGE sql AS 'SELECT NULL::int'; "
        "CREATE TABLE t (tags text[] CHECK (own.array_position(tags, NULL) IS NULL))"
    ),
}


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "array_elements") as connection:
        yield connection


def prove(connection: psycopg.Connection, sql: str, *types: str) -> StatementProof:
    facts = SchemaFacts.load(connection, stored_elements_nullable=True)
    return prove_statement(connection, facts, Statement(sql, types, frozenset(), returns_rows=True))


@pytest.mark.parametrize("schema", REFUSED)
def test_elements_that_a_constraint_refuses_are_proven_and_none_can_be_stored(connection: psycopg.Connection, schema: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(REFUSED[schema].encode())
        assert not prove(connection, "SELECT tags FROM t").columns[0].element_nullable
        written = prove(connection, "INSERT INTO t (tags) VALUES ($1::text[]) RETURNING tags", "text[]")
        assert not written.params[0].element_nullable
        for hole in HOLES:
            with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.FeatureNotSupported)), connection.transaction():
                connection.execute(f"INSERT INTO t (tags) VALUES ({hole})".encode())


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        ("text NOT NULL", "$1::part[]"),
        ("text CHECK (NOT value IS NULL)", "($1::text[])::part[]"),
        ("text[] CHECK (array_position(value, NULL) IS NULL)", "$1::part"),
        ("text[] CHECK (cardinality(value) = cardinality(array_remove(value, NULL)))", "($1::text[])::part"),
        ("text[] CHECK (cardinality(value) = 2 AND array_position(value, NULL) IS NULL)", "$1::text[]"),
    ],
)
def test_elements_that_a_domain_refuses_are_never_none(connection: psycopg.Connection, domain: str, value: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"CREATE DOMAIN part AS {domain}; CREATE TABLE t (tags text[])".encode())
        sql = f"INSERT INTO t (tags) VALUES ({value}{'::part' if value == '$1::text[]' else ''}) RETURNING 1"
        param = value.partition("$1::")[2].partition(")")[0]
        assert not prove(connection, sql, param).params[0].element_nullable


def test_a_domain_that_refuses_arrays_of_one_length_accepts_null_in_others(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE DOMAIN pair AS text[] CHECK (cardinality(value) = 2); CREATE TABLE t (tags text[])")
        assert prove(connection, "INSERT INTO t (tags) VALUES ($1::pair) RETURNING 1", "pair").params[0].element_nullable


@pytest.mark.parametrize("schema", ALLOWED)
def test_elements_that_may_be_stored_are_not_proven(connection: psycopg.Connection, schema: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(ALLOWED[schema].encode())
        assert prove(connection, "SELECT tags FROM t").columns[0].element_nullable
        target = "u" if "TABLE u" in ALLOWED[schema] else "t"
        if "NOT VALID" not in ALLOWED[schema]:
            connection.execute(f"INSERT INTO {target} (tags) VALUES ('{{NULL}}')".encode())
        assert connection.execute("SELECT tags FROM t").fetchall() == [([None],)]


def test_a_constraint_that_is_not_enforced_proves_nothing(connection: psycopg.Connection, major: int) -> None:
    if major < 18:
        pytest.skip("NOT ENFORCED came with PostgreSQL 18")
    with connection.transaction(force_rollback=True):
        connection.execute(f"CREATE TABLE t (tags text[] {CHECK} NOT ENFORCED)".encode())
        assert prove(connection, "SELECT tags FROM t").columns[0].element_nullable


def test_the_row_that_an_insert_runs_into_keeps_its_elements(connection: psycopg.Connection) -> None:
    sql = "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1 RETURNING tags"
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, n int, tags text[]); INSERT INTO t VALUES (1, 1, '{NULL}')")
        assert prove(connection, sql).columns[0].element_nullable
        assert connection.execute(sql.encode()).fetchall() == [([None],)]
