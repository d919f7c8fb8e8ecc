"""Statements that are made of a random query with variants: the number of its rows, and the SELECT of a patch that sets nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import psycopg
from psycopg import pq

from sqlwright import ir
from sqlwright.ir.proofs import Unchanged
from sqlwright.prove.asking.describe import Description, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.derived import read_original, verify_derived
from sqlwright.prove.statement import Cardinality, Statement, StatementProof, prove_statement
from sqlwright.prove.unchanged import prove_unchanged
from sqlwright.prove.variants import cut_variants, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.resolve.derivation import derived_queries
from sqlwright.sql.derived import Question, ask
from sqlwright.sql.variants import Cut, write_variant

from .comparison import Contradiction, compare

# A line of the comment of the template of all random queries.
LINE = "@order own"
Run = Callable[[str, Sequence[bytes | None]], pq.abc.PGresult]


@dataclass(frozen=True, slots=True)
class Derived:
    """A statement that asks about the rows of a query, and where its variants differ."""

    question: Question
    sql: str
    params: tuple[int, ...]
    cut: Cut
    limited: bool

    def compare(self, run: Run, omitted: AbstractSet[int], given: Mapping[int, bytes | None], rows: int) -> None:
        """Ask about the rows of a variant, which were so many.

        Raises:
            Contradiction: the answer is another one.
        """
        own = {number: index for index, number in enumerate(self.params, start=1)}
        left_out = {own[number] for number in omitted if number in own}
        variant = write_variant(self.sql, self.cut, len(self.params), left_out)
        result = run(variant.sql, [given[self.params[number - 1]] for number in variant.params])
        if result.status != pq.ExecStatus.TUPLES_OK:
            return
        answer = result.get_value(0, 0)
        if self.question is Question.EXISTS:
            is_right = answer == b"t" if rows else self.limited or answer == b"f"
        else:
            is_right = int(answer or b"-1") == rows or (self.limited and int(answer or b"-1") > rows)
        if not is_right:
            raise Contradiction(f"there are {rows} rows, but {self.question} is {answer!r}: {variant.sql}")


def derive(
    connection: psycopg.Connection, facts: SchemaFacts, query: ir.UnprovenQuery, statement: Statement, optional: AbstractSet[int]
) -> list[Derived]:
    """Prove both statements that ask about the rows of a SELECT.

    Raises:
        CompileError: they are refused.
        Contradiction: one is not proven to return one row without NULL.
    """
    names = {f"p{number}": LINE for number in optional}
    annotations = replace(query.annotations, optional=names, asked=dict.fromkeys(Question, ("", LINE)))
    whole = replace(query, annotations=annotations)
    found: list[Derived] = []
    for derived in derived_queries(whole, {})[0]:
        if derived.derivation is None:
            continue
        types = tuple(statement.param_types[number - 1] for number in derived.derivation.params)
        original = read_original(connection, derived, derived.derivation)
        described = describe(connection, derived.sql, {})
        own = replace(statement, sql=derived.sql, param_types=types, optional_params=frozenset())
        verify_derived(connection, facts, derived, own, derived.derivation, original)
        proof, cut = prove_statement(connection, facts, own), Cut()
        if derived.variation is not None:
            cut = cut_variants(connection, facts, derived, own, described)
            proof = prove_variants(connection, facts, own, cut, proof)
        if proof.rows.cardinality is not Cardinality.EXACTLY_ONE or proof.columns[0].nullable:
            raise Contradiction(f"not proven: {derived.sql}")
        question = derived.derivation.question
        limited = ask(question, statement.sql).limited
        found.append(Derived(question, derived.sql, derived.derivation.params, cut, limited))
    return found


@dataclass(frozen=True, slots=True)
class Empty:
    """The SELECT of a patch that sets nothing, and an UPDATE that sets a column to itself, if that returns the same."""

    facts: SchemaFacts
    proof: StatementProof
    unchanged: Unchanged
    idle: str
    params: tuple[int, ...]

    def compare(self, run: Run, omitted: AbstractSet[int], given: Mapping[int, bytes | None]) -> bool:
        """Compare a variant's rows with the proof, and with those of the UPDATE; return whether it could be run.

        Raises:
            Contradiction: they differ.
        """
        own = {number: index for index, number in enumerate(self.unchanged.params, start=1)}
        left_out = {own[number] for number in omitted if number in own}
        variant = write_variant(self.unchanged.sql, self.unchanged.cut, len(own), left_out)
        values = [given[self.unchanged.params[number - 1]] for number in variant.params]
        result = run(variant.sql, values)
        if result.status != pq.ExecStatus.TUPLES_OK:
            return False
        compare(self.proof, result, self.facts, given=values)
        if self.idle and not left_out and set(own) == set(self.params):
            updated = run(self.idle, [given[number] for number in self.params])
            if updated.status == pq.ExecStatus.TUPLES_OK and _rows(updated) != _rows(result):
                raise Contradiction(f"{_rows(result)} is not what {self.idle} returns: {_rows(updated)}")
        return True


def empty_patch(
    connection: psycopg.Connection,
    facts: SchemaFacts,
    query: ir.UnprovenQuery,
    statement: Statement,
    described: Description,
    proof: StatementProof,
    column: tuple[str, str],
) -> Empty:
    """Prove the SELECT of a patch; `column` is one that the patch sets, and the table.

    Raises:
        CompileError: it is refused.
    """
    patch = replace(query, command=ir.Command.MANY, annotations=replace(query.annotations, patch=LINE))
    both, unchanged = prove_unchanged(VariedQuery(connection, facts, patch, statement, described, patch.variation or ir.Variation()), proof)
    name, table = column
    relation = facts.relation(_oid(connection, table))
    oids = [relation.oid, *relation.descendants]
    meddling = any(facts.relation(oid).before_triggers for oid in oids) or _sees_by_chance(connection, oids)
    head, _, tail = unchanged.sql.removeprefix("SELECT ").partition(f"\nFROM {table}")
    idle = "" if meddling else f"UPDATE {table} SET {name} = {table}.{name}{tail} RETURNING {head}"
    return Empty(facts, both, unchanged, idle, unchanged.params)


def _oid(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute("SELECT %s::regclass::oid::int8", [table]).fetchone()
    return row[0] if row else 0


def _sees_by_chance(connection: psycopg.Connection, tables: Sequence[int]) -> bool:
    """Return whether a policy of a table lets two statements see different rows."""
    query = "SELECT EXISTS (SELECT FROM pg_policy WHERE polrelid = ANY (%s) AND pg_get_expr(polqual, polrelid) LIKE '%%sees(%%')"
    return connection.execute(query, [list(tables)]).fetchone() == (True,)


def _rows(result: pq.abc.PGresult) -> list[list[bytes | None]]:
    rows = ([result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples))
    return sorted(rows, key=repr)
