"""Proofs of columns rest on no unique key: a snapshot may show two rows with one key, an old one and the transaction's own new one."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import pq, sql

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Cardinality, StatementProof, prove_statement
from tests.support.servers import MAJORS, Servers, fresh_database

from .labelled import CASES, Case, read_cases
from .test_labelled import literal, param_values, rows_of

pytestmark = pytest.mark.long

_TABLES = "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT relrowsecurity"
# What may be NULL is NULL in the new rows; the columns of keys stay.
_COLUMNS = """
SELECT attname, NOT attnotnull AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indisunique AND attnum = ANY (indkey))
FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@pytest.mark.parametrize("major", MAJORS)
def test_no_column_of_a_snapshot_with_two_rows_for_each_key_contradicts_its_proof(servers: Servers, major: int) -> None:
    with fresh_database(servers, major, "snapshots") as connection:
        connection.execute((CASES / "schema.sql").read_bytes())
        connection.execute((CASES / "hostile.sql").read_bytes())
        facts = SchemaFacts.load(connection)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        _see_each_key_twice(connection)
        connection.execute("SAVEPOINT query")
        doubled = 0
        for case in read_cases():
            if case.since <= min(MAJORS):
                doubled += _compare(connection, case, prove_statement(connection, facts, case.statement))
    assert doubled, "no query has found two rows for a key"


def _see_each_key_twice(connection: psycopg.Connection) -> None:
    """Take a snapshot, delete all rows in another transaction, and insert them again without what may be NULL."""
    connection.execute("SET LOCAL session_replication_role = replica")
    tables = connection.execute(_TABLES).fetchall()
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("SET session_replication_role = replica")
        for _, table in tables:
            other.execute(sql.SQL("DELETE FROM ONLY {}").format(sql.Identifier(table)))
    for oid, table in tables:
        columns = connection.execute(_COLUMNS, (oid,)).fetchall()
        names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
        values = sql.SQL(", ").join(sql.NULL if left_out else sql.Identifier(name) for name, left_out in columns)
        insert = sql.SQL("INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM ONLY {table}")
        connection.execute("SAVEPOINT copy")
        try:
            connection.execute(insert.format(table=sql.Identifier(table), names=names, values=values))
        except psycopg.errors.IntegrityError:  # a CHECK, or a domain that a stored row breaks
            connection.execute("ROLLBACK TO copy")
    connection.execute("SET LOCAL session_replication_role = origin")


def _compare(connection: psycopg.Connection, case: Case, proof: StatementProof) -> bool:
    """Compare the NULLs of a query with its proof; return whether it has found more rows than is proven."""
    doubled = False
    for values in param_values(case, proof):
        result = connection.pgconn.exec_params(case.sql.encode(), [literal(value) for value in values])
        connection.pgconn.exec_(b"ROLLBACK TO query")
        if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
            continue  # such as a scalar subquery of two rows, and a row that another transaction has deleted
        rows = rows_of(result, case)
        doubled |= proof.rows.cardinality is not Cardinality.MANY and len(rows) > 1
        assert rows or proof.rows.cardinality is not Cardinality.EXACTLY_ONE, case.id
        for row in rows:
            for value, column in zip(row, proof.columns, strict=True):
                assert value is not None or column.nullable, (case.id, column)
    return doubled
