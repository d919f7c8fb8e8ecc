"""The hand-labelled suite: the proof is the label, and no data contradicts it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Cardinality, StatementProof, prove_statement
from tests.support.servers import Servers, fresh_database

from .labelled import CASES, Case, read_cases

pytestmark = pytest.mark.long

ALL = read_cases()
_RUNS = 6
_HOLE = re.compile(rb"(?<=[{,])NULL(?=[,}])")
_VALUES: dict[str, tuple[object, ...]] = {
    "int": (1, 2, 0, 9, -1),
    "bigint": (1, 4, 0, 9),
    "numeric": (1, 5),
    "text": ("ann", "a", "ANN@X", "GO", "zz"),
    "date": ("2023-01-01", "2024-06-01"),
    "timestamptz": ("2999-01-01", "2000-01-01"),
    "int[]": ([1, 2], [], [30]),
    "numeric[]": ([1, 2], []),
    "text[]": (["a", "b"], []),
}


@dataclass
class Database:
    """Databases with the schema of the cases, of hostile rows, of users alone and of none, and what was read from the catalogue."""

    connections: tuple[psycopg.Connection, ...]
    facts: SchemaFacts
    proofs: dict[str, StatementProof] = field(default_factory=dict[str, StatementProof])


@pytest.fixture(scope="session")
def database(servers: Servers, major: int) -> Iterator[Database]:
    with ExitStack() as stack:
        connections = tuple(
            stack.enter_context(fresh_database(servers, major, f"labelled_{name}")) for name in ("hostile", "users", "empty")
        )
        for connection, kept in zip(connections, (None, ["users"], []), strict=True):
            connection.execute((CASES / "schema.sql").read_bytes())
            connection.execute((CASES / "hostile.sql").read_bytes())
            if major >= 18:
                connection.execute((CASES / "schema18.sql").read_bytes())
            if kept is not None:
                empty(connection, kept)
        yield Database(connections, SchemaFacts.load(connections[0]))


def empty(connection: psycopg.Connection, kept: Sequence[str]) -> None:
    """Delete every row of all tables but these, without triggers and rules."""
    found = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    deletes = "; ".join(f"DELETE FROM {name}" for (name,) in found.fetchall() if name not in kept)
    connection.execute(f"SET session_replication_role = replica; {deletes}; RESET session_replication_role".encode())
    connection.execute("REFRESH MATERIALIZED VIEW order_stats")


def prove(database: Database, case: Case) -> StatementProof:
    if case.since > database.facts.major:
        pytest.skip(f"the query needs PostgreSQL {case.since}")
    if case.id not in database.proofs:
        database.proofs[case.id] = prove_statement(database.connections[0], database.facts, case.statement)
    return database.proofs[case.id]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_the_proof_equals_the_label(database: Database, case: Case) -> None:
    proof = prove(database, case)
    shown = [(("?" if c.nullable else "!"), c.reason) for c in proof.columns]
    assert [mark for mark, _ in shown] == [mark.replace("~", "?") for mark in case.columns], shown
    for column, mark in zip(proof.columns, case.elements, strict=True):
        assert not mark or column.element_nullable == (mark != "!"), column
    assert proof.rows.cardinality == case.rows, proof.rows
    for number, (mark, element) in case.params.items():
        param = proof.params[number - 1]
        assert param.nullable == (mark == "?"), param
        assert not element or param.element_nullable == (element == "?"), param


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_no_data_contradicts_the_proof_and_some_data_shows_each_null(database: Database, case: Case) -> None:
    proof = prove(database, case)
    nulls = [False] * len(case.columns)
    holes = [False] * len(case.columns)
    ran = 0
    for rows in executions(database.connections, case, proof):
        ran += 1
        if proof.rows.cardinality is not Cardinality.MANY:
            assert len(rows) <= 1, "more than one row"
        if proof.rows.cardinality is Cardinality.EXACTLY_ONE:
            assert len(rows) == 1, "no row"
        for row in rows:
            for index, value in enumerate(row):
                nulls[index] |= value is None
                holes[index] |= value is not None and _HOLE.search(value) is not None
    assert ran, "the query never ran to its end"
    for index, (column, mark) in enumerate(zip(proof.columns, case.columns, strict=True)):
        assert not (nulls[index] and not column.nullable), f"column {index + 1} was NULL, but: {column.reason}"
        assert nulls[index] == (mark == "?"), f"column {index + 1} is labelled {mark}, and was {'' if nulls[index] else 'never '}NULL"
        element = case.elements[index]
        if element:
            assert holes[index] == (element == "?"), f"elements of column {index + 1} are labelled {element}"


def executions(connections: Sequence[psycopg.Connection], case: Case, proof: StatementProof) -> Iterator[list[tuple[bytes | None, ...]]]:
    """Run the query on each database, with several values for its parameters; what it writes is rolled back.

    Values come as the server sends them: Python's loaders make None of a JSON null, and refuse an infinite date.
    """
    for connection in connections:
        connection.execute("BEGIN")
        try:
            for values in param_values(case, proof):
                try:
                    cursor = psycopg.RawCursor(connection).execute(case.sql.encode(), values)
                except (psycopg.errors.IntegrityError, psycopg.errors.CardinalityViolation, psycopg.errors.DataError):
                    continue  # a refused statement returns nothing that could be wrong
                else:
                    yield rows_of(cursor, case)
                finally:
                    connection.execute("ROLLBACK AND CHAIN")
        finally:
            connection.rollback()


def rows_of(cursor: psycopg.RawCursor[Any], case: Case) -> list[tuple[bytes | None, ...]]:
    """The rows of a result as the server sent them; of a statement without columns, as many empty ones as the label counts."""
    result = cursor.pgresult
    assert result is not None
    if result.nfields:
        return [tuple(result.get_value(row, column) for column in range(result.nfields)) for row in range(result.ntuples)]
    return [] if case.rows is Cardinality.MANY else [()] * cursor.rowcount


def param_values(case: Case, proof: StatementProof) -> Iterator[Sequence[object]]:
    pools: list[list[object]] = []
    for type_name, param in zip(case.param_types, proof.params, strict=True):
        pool = list(_VALUES[type_name])
        if param.nullable:
            pool.insert(1, None)
        if param.element_nullable:
            pool.insert(0, [None, "x"])
        pools.append(pool)
    if not pools:
        yield ()
        return
    for run in range(_RUNS):
        yield [pool[(run // (1 + index % 2)) % len(pool)] for index, pool in enumerate(pools)]


def test_at_most_one_in_twenty_provable_columns_is_missed() -> None:
    marks = [mark for case in ALL for mark in case.columns]
    missed, provable = marks.count("~"), marks.count("~") + marks.count("!")
    assert len(ALL) >= 250
    assert missed / provable <= 0.05, f"{missed} of {provable}"
