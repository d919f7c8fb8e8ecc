"""What `prove_statement` says around the proofs: places, tables, and the safe answers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Cardinality, Statement, StatementProof, join_before, prove_statement
from sqlwright.prove.tree import querytree
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from tests.support.servers import Servers, fresh_database

_SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, total int NOT NULL);
CREATE VIEW named AS SELECT id, name FROM users WHERE name IS NOT NULL;
CREATE SCHEMA other;
CREATE TABLE other."a b" (id int);
CREATE PROCEDURE other.clean(int) LANGUAGE sql AS 'SELECT 1';
"""


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "statements") as connection:
        connection.execute(_SCHEMA)
        yield connection


def proof_of(connection: psycopg.Connection, sql: str, *types: str) -> StatementProof:
    return prove_statement(connection, SchemaFacts.load(connection), Statement(sql, types, frozenset(), returns_rows=True))


def test_the_loss_of_the_connection_is_no_refusal_of_the_statement(connection: psycopg.Connection) -> None:
    with psycopg.connect(connection.info.dsn, autocommit=True) as lost:
        facts = SchemaFacts.load(lost)
        connection.execute("SELECT pg_terminate_backend(%s, 10000)", [lost.info.backend_pid])
        with pytest.raises(psycopg.OperationalError, match="closed the connection"):
            prove_statement(lost, facts, Statement("SELECT 1", (), frozenset(), returns_rows=True))


def test_a_reason_points_at_the_join_that_it_names(connection: psycopg.Connection) -> None:
    sql = "SELECT 'é', o.total FROM users u\nLEFT OUTER JOIN orders o ON o.user_id = u.id"
    column = proof_of(connection, sql).columns[1]
    assert column.reason == "`orders o` is on the nullable side of the LEFT JOIN"
    assert sql[column.location :].startswith("LEFT OUTER JOIN orders o")
    assert (column.nullability.null_extended, column.nullability.presence_column) == (True, True)


def test_a_reason_counts_characters_and_not_bytes(connection: psycopg.Connection) -> None:
    sql = "SELECT 'é€', name FROM users"
    assert sql[proof_of(connection, sql).columns[1].location :].startswith("name")


def test_a_nullable_column_of_an_absent_row_is_no_presence_column(connection: psycopg.Connection) -> None:
    column = proof_of(connection, "SELECT u.name FROM orders o LEFT JOIN users u ON u.id = o.user_id").columns[0]
    assert (column.nullable, column.nullability.null_extended, column.nullability.presence_column) == (True, True, False)


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("a LEFT JOIN (b JOIN c ON x) ON HERE", "LEFT JOIN (b"),
        ("a LEFT JOIN (b FULL JOIN c ON HERE) ON y", "FULL JOIN c"),
        ("a LEFT JOIN b ON ((HERE))", "LEFT JOIN b"),
        ("a JOIN b ON x /* JOIN */ NATURAL RIGHT OUTER JOIN c ON HERE", "NATURAL RIGHT"),
    ],
)
def test_the_join_of_a_condition_is_found(sql: str, place: str) -> None:
    assert sql[join_before(sql, sql.index("HERE")) :].startswith(place)


def test_tables_under_views_are_read(connection: psycopg.Connection) -> None:
    proof = proof_of(connection, "WITH w AS (INSERT INTO orders VALUES (1, 2, 3) RETURNING id) SELECT w.id FROM w, named")
    assert (proof.reads, proof.writes) == (("public.named", "public.orders", "public.users"), ("public.orders",))


def test_a_delete_without_condition_reads_nothing(connection: psycopg.Connection) -> None:
    proof = proof_of(connection, "DELETE FROM orders")
    assert (proof.reads, proof.writes) == ((), ("public.orders",))


def test_a_utility_statement_has_no_proof_and_no_crash(connection: psycopg.Connection) -> None:
    proof = proof_of(connection, "SHOW work_mem")
    assert (proof.columns, proof.rows.cardinality) == ((), Cardinality.MANY)


def test_a_statement_that_postgresql_refuses_is_an_error_and_leaves_the_transaction_usable(connection: psycopg.Connection) -> None:
    with connection.transaction():
        with pytest.raises(psycopg.errors.UndefinedColumn):
            proof_of(connection, "SELECT nothing FROM users")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_settings_for_the_tree_do_not_outlive_the_proof(connection: psycopg.Connection) -> None:
    proof_of(connection, "SELECT 1")
    assert connection.execute("SHOW debug_print_parse").fetchone() == ("off",)


@pytest.mark.parametrize("damage", ["an unknown tag", "a missing field", "a word for a number"])
def test_a_tree_of_an_unknown_shape_proves_nothing(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    original = querytree.analysed_query

    def damaged(*arguments: object) -> Tree:
        tree = original(*arguments)  # type: ignore[arg-type]
        for node in walk(tree):
            if node.tag == "VAR":
                _damage(node, damage)
        return tree

    monkeypatch.setattr("sqlwright.prove.statement.analysed_query", damaged)
    proof = proof_of(connection, "SELECT id FROM users WHERE id = 1")
    assert all(column.nullable for column in proof.columns)
    assert proof.rows.cardinality is Cardinality.MANY


def _damage(node: Node, damage: str) -> None:
    if damage == "an unknown tag":
        node.tag = "VARIABLE"
    elif damage == "a missing field":
        del node.fields["varno"]
    else:
        node.fields["varlevelsup"] = "none"


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("SELECT id FROM users u WHERE EXISTS (SELECT FROM users)", ("SELECT", "users")),
        ("SELECT id FROM named", ("SELECT", "named")),
        ("SELECT id FROM orders JOIN users USING (id)", ("SELECT", "")),
        ("SELECT 1", ("SELECT", "")),
        ('WITH found AS (SELECT id FROM other."a b") SELECT id FROM found', ("SELECT", "other.a b")),
        ("INSERT INTO users (id) SELECT user_id FROM orders ON CONFLICT (id) DO UPDATE SET name = excluded.name", ("INSERT", "users")),
        ("UPDATE users SET name = '' FROM orders WHERE users.id = user_id", ("UPDATE", "users")),
        ("DELETE FROM users USING orders", ("DELETE", "users")),
        ("MERGE INTO users USING orders ON users.id = user_id WHEN MATCHED THEN DELETE", ("MERGE", "users")),
        ("WITH added AS (INSERT INTO users (id) VALUES (1) RETURNING id) SELECT added.id FROM added, orders", ("INSERT", "users")),
        ("WITH a AS (INSERT INTO users (id) VALUES (1)) INSERT INTO orders VALUES (1, 1, 1)", ("INSERT", "")),
        ("WITH a AS (DELETE FROM users RETURNING id) INSERT INTO users (id) SELECT id FROM a", ("", "users")),
        ("SELECT 'INSERT INTO orders' /* DELETE FROM users */", ("SELECT", "")),
    ],
)
def test_a_statement_is_called_by_what_it_changes_or_else_reads(
    connection: psycopg.Connection, sql: str, operation: tuple[str, str]
) -> None:
    found = proof_of(connection, sql).operation
    assert (found.name, found.collection, found.procedure) == (*operation, "")


# Of most of these, PostgreSQL 15 writes no trees.
@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("CALL other.clean(1)", ("CALL", "", "other.clean")),
        ('TRUNCATE other."a b" CASCADE', ("TRUNCATE TABLE", "other.a b", "")),
        ("LOCK TABLE users, orders", ("LOCK TABLE", "", "")),
        ("NOTIFY users, 'text'", ("NOTIFY", "", "")),
    ],
)
def test_a_statement_without_a_proof_is_called_by_its_command(
    connection: psycopg.Connection, major: int, sql: str, operation: tuple[str, str, str]
) -> None:
    found = proof_of(connection, sql).operation
    assert (found.name, found.collection, found.procedure) == (operation if major > 15 or operation[0] == "NOTIFY" else ("", "", ""))
