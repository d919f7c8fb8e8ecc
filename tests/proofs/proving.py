"""A query with variants, proven on a server as `sqlwright generate` would, from the text of its comment and its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from sqlwright import ir
from sqlwright.prove.asking.describe import TypeNames, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Statement, StatementProof, prove_statement
from sqlwright.prove.variants import cut_variants, prove_orders, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.placeholders import with_casts
from sqlwright.sql.variants import Cut
from tests.support.stages import unproven


@dataclass(frozen=True)
class ProvenQuery:
    """The query that PostgreSQL was asked about, where its variants differ, and the proofs of the whole and of all variants."""

    asked: VariedQuery
    types: TypeNames
    cut: Cut
    whole: StatementProof
    proof: StatementProof
    orders: tuple[ir.Order, ...]

    @property
    def sql(self) -> str:
        """The statement, with casts at its parameters."""
        return self.asked.statement.sql

    @property
    def param_types(self) -> tuple[str, ...]:
        """The types of its parameters."""
        return self.asked.statement.param_types


def prove_query(connection: psycopg.Connection[Any], comment: str, sql: str, command: str = ":many", *, every: bool = True) -> ProvenQuery:
    """Prove a query with variants; with `every`, each of them is verified."""
    text = "".join(f"-- {line}\n" for line in comment.splitlines()) + f"-- name: Q {command}\n{sql};\n"
    (query,) = unproven(text).modules[0].queries
    facts, types = SchemaFacts.load(connection), TypeNames(connection)
    with connection.transaction(force_rollback=True):
        casts = {number: types.cast_name(oid) for number, oid in enumerate(describe(connection, query.sql, {}).params, start=1)}
        final = with_casts(query.sql, casts)
        described = describe(connection, final, {})
        statement = Statement(final, tuple(casts.values()), frozenset(), returns_rows=bool(described.columns))
        whole = prove_statement(connection, facts, statement)
        cut = cut_variants(connection, facts, query, statement, described, every=every)
        proof = prove_variants(connection, facts, statement, cut, whole)
        orders = prove_orders(connection, facts, statement, cut, proof)
    asked = VariedQuery(connection, facts, query, statement, described, query.variation or ir.Variation())
    return ProvenQuery(asked, types, cut, whole, proof, orders)
