"""The property: whatever the schema, the query and the rows, no NULL appears and no number of rows occurs that the proof denies.

`SQLWRIGHT_PROPERTY_QUERIES` is how many queries the long run makes for each major version (20000 unless set), `--hypothesis-seed` fixes
the choices.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from sqlwright.prove.facts import SchemaFacts
from sqlwright.prove.statement import Cardinality, Statement, StatementProof, prove_statement

from .conftest import Servers, fresh_database
from .grammar import Writer, random_schema

_PER_SCHEMA = 6
_SHORT_RUN = 40
_HOLE = re.compile(rb"(?<=[{,])NULL(?=[,}])")
_PLACEHOLDER = re.compile(r"\$(\d)::int")


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "random_queries") as connection:
        # A recursive query or a cross join may explode; such a statement proves nothing.
        connection.execute("SET statement_timeout = '2s'")
        yield connection


def test_no_rows_contradict_the_proof_of_a_random_query(connection: psycopg.Connection) -> None:
    _search(connection, _SHORT_RUN)


@pytest.mark.slow
def test_no_rows_contradict_the_proofs_of_many_random_queries(connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = int(os.environ.get("SQLWRIGHT_PROPERTY_QUERIES", "20000"))
    counts = _search(connection, wanted // _PER_SCHEMA + 1)
    with capsys.disabled():
        print(f"\nPostgreSQL {connection.info.server_version // 10000}: {dict(counts)}")  # noqa: T201 - the count is what the long run is for


def _search(connection: psycopg.Connection, schemas: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    builtin = SchemaFacts.load(connection)

    @settings(
        max_examples=schemas,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.randoms(use_true_random=False))
    def search(source: random.Random) -> None:
        with connection.transaction(force_rollback=True):
            schema = random_schema(source)
            sources = list(schema.sources)
            for statement in schema.statements:
                try:
                    with connection.transaction():
                        connection.execute(statement.encode())
                except psycopg.Error:
                    sources = [s for s in sources if f"CREATE VIEW {s.name} " not in statement]
            note(";\n".join(schema.statements))
            facts = SchemaFacts.load(connection)
            # The schemas bring no functions and operators of their own, and reading PostgreSQL's takes longer than everything else.
            vars(facts).update(
                {name: getattr(builtin, name) for name in ("_functions", "_equality_families", "exact_families", "loose_collations")}
            )
            for _ in range(_PER_SCHEMA):
                sql, _width = Writer(source, sources).statement()
                note(sql)
                counts[check(connection, facts, sql)] += 1

    search()
    return counts


def check(connection: psycopg.Connection, facts: SchemaFacts, sql: str) -> str:
    """Prove a statement, run it, and compare. Says what came of it."""
    used = {int(number) for number in _PLACEHOLDER.findall(sql)}
    count = max(used, default=0)
    statement = Statement(sql, ("int",) * count, frozenset({2}) & used, returns_rows=True)
    try:
        with connection.transaction(force_rollback=True):
            proof = prove_statement(connection, facts, statement)
    except psycopg.Error:
        return "refused"
    outcome = "failed to run"
    for values in ([1, None], [0, 2]):
        given = [None if number == 2 and values[1] is None else values[number - 1] for number in range(1, count + 1)]
        for number, param in enumerate(proof.params, start=1):
            if param.nullable and values[1] is None:
                given[number - 1] = None
        try:
            with connection.transaction(force_rollback=True), psycopg.RawCursor(connection) as cursor:
                cursor.execute(sql.encode(), given)
                result = cursor.pgresult
                assert result is not None
                compare(proof, result, given)
        except psycopg.Error:
            continue
        outcome = "compared"
        if not count:
            break
    return outcome


def compare(proof: StatementProof, result: psycopg.pq.abc.PGresult, given: list[int | None]) -> None:
    assert result.nfields == len(proof.columns)
    if proof.rows.cardinality is not Cardinality.MANY:
        assert result.ntuples <= 1, f"{result.ntuples} rows, with {given}, but: {proof.rows.reason}"
    if proof.rows.cardinality is Cardinality.EXACTLY_ONE:
        assert result.ntuples == 1, f"no row, with {given}, but: {proof.rows.reason}"
    for index, column in enumerate(proof.columns):
        for row in range(result.ntuples):
            value = result.get_value(row, index)
            assert column.nullable or value is not None, f"column {index + 1} is NULL, with {given}, but: {column.reason}"
            if value is not None and not column.element_nullable:
                assert _HOLE.search(value) is None, f"column {index + 1} holds NULL, with {given}, but its elements are said to be proven"
