"""Describe: PostgreSQL's own types, and sqlc's only where PostgreSQL asks for help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sqlwright.prove.asking.describe import Refused, TypeNames, describe

SCHEMA = """
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('sad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN more_positive AS positive;
CREATE TABLE t (id int, m other.mood[], p more_positive, c "char", b bit(3), v int2vector);
"""


@pytest.fixture
def connection(proof_server: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(proof_server) as opened, opened.transaction(force_rollback=True):
        opened.execute(SCHEMA)
        yield opened


def param_casts(connection: psycopg.Connection[Any], sql: str, fallback: dict[int, str] | None = None) -> list[str]:
    """The inferred types of a statement's parameters, as casts write them."""
    types = TypeNames(connection)
    return [types.cast_name(oid) for oid in describe(connection, sql, fallback or {}).params]


def test_a_parameter_has_the_type_of_the_column_it_meets(connection: psycopg.Connection[Any]) -> None:
    assert param_casts(connection, "SELECT 1 FROM t WHERE id = $1 AND c = $2 AND b = $3") == ["int4", '"char"', '"bit"']


def test_a_type_outside_the_search_path_is_qualified(connection: psycopg.Connection[Any]) -> None:
    assert param_casts(connection, "SELECT 1 FROM t WHERE m = $1") == ["other.mood[]"]


def test_a_written_domain_stays_a_domain_in_the_cast(connection: psycopg.Connection[Any]) -> None:
    assert param_casts(connection, "INSERT INTO t (p) VALUES ($1)") == ["more_positive"]


def test_in_proofs_a_domain_is_its_base_type(connection: psycopg.Connection[Any]) -> None:
    types = TypeNames(connection)
    assert [types.proof_name(oid) for oid in describe(connection, "INSERT INTO t (p) VALUES ($1)", {}).params] == ["int4"]


def test_a_vector_type_is_not_an_array(connection: psycopg.Connection[Any]) -> None:
    types = TypeNames(connection)
    assert [types.proof_name(column.type) for column in describe(connection, "SELECT v, m FROM t", {}).columns] == [
        "int2vector",
        "other.mood[]",
    ]


def test_where_postgresql_cannot_infer_a_type_sqlc_is_asked(connection: psycopg.Connection[Any]) -> None:
    assert param_casts(connection, "SELECT 1 FROM t WHERE $1 IS NULL OR id > $2", {1: "text", 2: "text"}) == ["text", "int4"]


def test_a_placeholder_of_unknown_type_is_named(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(Refused) as caught:
        describe(connection, "SELECT 1 WHERE $1 IS NULL", {})
    assert (caught.value.message, caught.value.offset) == ("could not determine data type of parameter $1", 15)


def test_a_refused_statement_leaves_the_transaction_usable(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(Refused, match="nope"):
        describe(connection, "SELECT nope FROM t", {})
    assert describe(connection, "SELECT id FROM t", {}).columns[0].name == "id"


def test_a_plain_column_names_its_table(connection: psycopg.Connection[Any]) -> None:
    plain, computed = describe(connection, "SELECT id, id + 1 FROM t", {}).columns
    assert plain.origin is not None
    assert (plain.origin[1], computed.origin) == (1, None)
