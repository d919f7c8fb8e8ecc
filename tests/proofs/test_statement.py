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
"""


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "statements") as connection:
        connection.execute(_SCHEMA)
        yield connection


def proof_of(connection: psycopg.Connection, sql: str, *types: str) -> StatementProof:
    return prove_statement(connection, SchemaFacts.load(connection), Statement(sql, types, frozenset(), returns_rows=True))


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
