"""Compares proofs with real rows, in bulk: random schemas, rows and queries, on a server of one major version.

    python -m tests.proofs.comparison --major 18 --count 34000 --seed 1

prints how many queries were compared, and how many in a second; it stops at the first proof that rows contradict and says how to see it
again (`--seed` and `--schema`). Run one for each processor, each with its own seed: the choices depend on the seed and the number of
the schema alone.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
from psycopg import pq

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Cardinality, Statement, StatementProof, prove_statement
from tests.support.servers import Servers, fresh_database, newest_server

from .grammar import Embed, Writer, random_schema
from .random_schemas import BEGINNING, Schema, Source

PER_SCHEMA = 24
_HOLE = re.compile(rb"(?<=[{,])NULL(?=[,}])")
_BRACES = re.compile(rb"\{+")
_PLACEHOLDER = re.compile(r"\$(\d)::int")
_VALUES = ((b"1", None), (b"0", b"2"))
_NO_EMBEDS: tuple[Embed, ...] = ()


class Contradiction(AssertionError):
    """Rows that a proof denies."""


class Comparison:
    """A connection to an empty database, and what is the same for all schemas in it.

    Queries run by libpq itself, under one savepoint: a quarter of the time would go into psycopg's transactions otherwise.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        # A recursive query or a cross join may explode; such a statement proves nothing.
        connection.execute("SET statement_timeout = '100ms'")
        for statement in BEGINNING:
            connection.execute(statement.encode())
        self._connection = connection
        self._shared = SchemaFacts.load(connection)
        self.counts: Counter[str] = Counter()
        self._seconds = 0.0

    def __str__(self) -> str:
        compared = self.counts["compared"]
        speed = f"{compared / self._seconds:.0f} each second" if self._seconds else "no time taken"
        return f"PostgreSQL {self._connection.info.server_version // 10000}: {dict(self.counts)} in {self._seconds:.0f} s, {speed}"

    def many(self, seed: str, count: int) -> None:
        """Compare at least `count` queries over as many schemas as it takes.

        Raises:
            Contradiction: a proof is not true; it says of what, and how to see it again.
        """
        begun, number, wanted = time.perf_counter(), 0, self.counts["compared"] + count
        while self.counts["compared"] < wanted:
            try:
                self.schema(_chance(seed, number), PER_SCHEMA)
            except Contradiction as found:
                raise Contradiction(f"--seed {seed} --schema {number}: {found}") from None
            number += 1
        self._seconds += time.perf_counter() - begun

    def schema(self, source: random.Random, queries: int) -> None:
        """Make a random schema, and compare the proofs of as many random queries; take everything back.

        Raises:
            Contradiction: a proof is not true; it says of what.
        """
        schema = random_schema(source)
        self._run(b"BEGIN")
        try:
            sources = self._build(schema)
            if not sources:
                return
            facts = SchemaFacts.load(self._connection)
            # The schemas define no functions or operators, and reading PostgreSQL's takes longer than everything else.
            vars(facts).update({name: getattr(self._shared, name) for name in ("_functions", "equalities")})
            if schema.settings:
                self._run(f"SET LOCAL {schema.settings}".encode())
            self._run(b"SAVEPOINT query")
            for _ in range(queries):
                sql, check = self._statement(source, sources, facts)
                try:
                    self.counts[check()] += 1
                except Contradiction as found:
                    statements = ";\n".join((*BEGINNING, *schema.statements))
                    settings = f"SET LOCAL {schema.settings};\n" if schema.settings else ""
                    raise Contradiction(f"{found}\n{statements};\n{settings}{sql}") from None
        finally:
            self._run(b"ROLLBACK")

    def _statement(self, source: random.Random, sources: list[Source], facts: SchemaFacts) -> tuple[str, Callable[[], str]]:
        """Return a random statement, and what compares it."""
        writer = Writer(source, sources)
        sql, _width = writer.statement()
        return sql, partial(self.check, facts, sql, writer.embeds)

    def _build(self, schema: Schema) -> list[Source]:
        """Make the schema without the statements that PostgreSQL refuses, and leave out what is not there then."""
        self._run(b"SAVEPOINT statement")
        for statement in schema.statements:
            if self._run(statement.encode()).status == pq.ExecStatus.FATAL_ERROR:
                self._run(b"ROLLBACK TO statement")
            else:
                self._run(b"SAVEPOINT statement")
        names = ",".join(source.name for source in schema.sources)
        found = self._connection.execute(
            "SELECT name FROM unnest(string_to_array(%s, ',')) name WHERE to_regclass(name) IS NOT NULL", (names,)
        )
        there = {row[0] for row in found.fetchall()}
        return [source for source in schema.sources if source.name in there]

    def _run(self, command: bytes) -> pq.abc.PGresult:
        return self._connection.pgconn.exec_(command)

    def check(self, facts: SchemaFacts, sql: str, embeds: tuple[Embed, ...] = _NO_EMBEDS) -> str:
        """Prove a statement, run it, and compare; return what came of it. It needs a savepoint named `query`."""
        used = {int(number) for number in _PLACEHOLDER.findall(sql)}
        count = max(used, default=0)
        statement = Statement(sql, ("int",) * count, frozenset({2}) & used, returns_rows=True)
        try:
            proof = prove_statement(self._connection, facts, statement)
        except psycopg.Error:
            self._run(b"ROLLBACK TO query")
            return "refused"
        outcome = "failed to run"
        for values in _VALUES[: 2 if count else 1]:
            # $2 is the one that may be None; where the query writes them, $1 may be as well.
            given = [None if values[1] is None and param.nullable else values[0] for param in proof.params]
            result = self._connection.pgconn.exec_params(sql.encode(), given)
            if result.status == pq.ExecStatus.TUPLES_OK:
                outcome = "compared"
                compare(proof, result, facts, embeds, given)
            self._run(b"ROLLBACK TO query")
        return outcome


def compare(
    proof: StatementProof,
    result: pq.abc.PGresult,
    facts: SchemaFacts,
    embeds: tuple[Embed, ...] = _NO_EMBEDS,
    given: object = None,
) -> None:
    """Compare a proof with the rows of its query.

    Raises:
        Contradiction: the rows have what the proof denies.
    """

    def claim(holds: object, message: str) -> None:
        if not holds:
            raise Contradiction(f"{message} (parameters: {given})")

    height = result.ntuples
    claim(result.nfields == len(proof.columns), "the proof has another number of columns")
    claim(proof.rows.cardinality is Cardinality.MANY or height <= 1, f"{height} rows, but: {proof.rows.reason}")
    claim(proof.rows.cardinality is not Cardinality.EXACTLY_ONE or height == 1, f"no row, but: {proof.rows.reason}")
    for index, column in enumerate(proof.columns):
        array = facts.is_array(result.ftype(index))
        for row in range(height):
            value = result.get_value(row, index)
            if value is None:
                claim(column.nullable, f"column {index + 1} is NULL, but: {column.reason}")
            elif array:
                nested = facts.is_array(
                    facts.below_domains(result.ftype(index)).element or 0
                )  # the elements of a domain over arrays may be NULL
                claim(column.element_nullable or nested or not _HOLE.search(value), f"column {index + 1} holds NULL: {value!r}")
                braces = _BRACES.search(value)
                depth = len(braces[0]) if braces and value != b"{}" else column.dimensions
                claim(column.dimensions in (0, depth), f"column {index + 1} has {depth} dimensions, not {column.dimensions}")
    for embed in embeds:
        for row in range(height):
            absent = result.get_value(row, embed.absent) == b"t"
            for index in range(embed.first, embed.last):
                column, missing = proof.columns[index], result.get_value(row, index) is None
                claim(not absent or column.nullability.null_extended, f"the row of column {index + 1} is absent, but: {column.reason}")
                claim(
                    not column.nullability.presence_column or absent == missing,
                    f"column {index + 1} does not show whether its row is there",
                )


def main(kind: type[Comparison] = Comparison) -> None:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--major", type=int, default=18, help="the major version of PostgreSQL: 15, 16 or 18")
    parser.add_argument("--count", type=int, default=1000, help="how many queries to compare")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schema", type=int, help="look at this one schema only")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = Servers(stack, stack.enter_context(newest_server(folder)))
        comparison = kind(stack.enter_context(fresh_database(servers, asked.major, f"comparison_{asked.seed}")))
        try:
            if asked.schema is None:
                comparison.many(str(asked.seed), asked.count)
            else:
                comparison.schema(_chance(str(asked.seed), asked.schema), PER_SCHEMA)
        except Contradiction as found:
            raise SystemExit(str(found)) from None
        print(comparison)  # noqa: T201 - the count is what the run is for


def _chance(seed: str, schema: int) -> random.Random:
    return random.Random(f"{seed} {schema}")  # noqa: S311 - the seed is the point


if __name__ == "__main__":
    main()
