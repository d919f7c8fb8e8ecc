"""Compares the proofs of queries with variants with the rows of their variants, as `comparison` does for plain queries.

    python -m tests.proofs.varied --major 18 --count 5000 --seed 1

`--count` counts queries; the variants that were run are counted beside them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg
from psycopg import pq

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError
from sqlwright.ir.naming import Identifier
from sqlwright.prove.asking.describe import Description, Refused, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.verdicts import NullProof
from sqlwright.prove.statement import Statement, StatementProof, prove_statement
from sqlwright.prove.variants import cut_variants, prove_orders, prove_variants
from sqlwright.sql.annotations import Annotations, Order
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import Cut, renumbered, write_variant
from tests.support.stages import unproven

from .comparison import Comparison, Contradiction, compare, main
from .grammar import Writer
from .random_schemas import BOOL, INT, INTS, TEXT, Column, Source
from .related import Derived, Empty, derive, empty_patch

_MOST = 4
_CHOSEN = 12
# Of how many queries the statements are looked at that are made of them.
_RELATED = 0.5
VALUES: dict[str, tuple[bytes, ...]] = {INT: (b"0", b"1", b"2"), TEXT: (b"a", b""), BOOL: (b"t", b"f"), INTS: (b"{}", b"{1,2}", b"{NULL}")}
_TEMPLATE = unproven("-- name: Q :many\n-- @order own\nSELECT 1;\n").modules[0].queries[0]
# PostgreSQL refuses the statement that stands for all variants, or one of them; that is an error with a place, and no wrong proof.
_REFUSED = "PostgreSQL refuses"


class VariedWriter(Writer):
    """Writes queries with optional conditions, orders and patches. `optional` maps the numbers of parameters from 3 on to their types."""

    def __init__(self, source: random.Random, sources: Sequence[Source], *, params: bool = True) -> None:
        super().__init__(source, sources, params=params)
        self.optional: dict[int, str] = {}
        self.assigned: set[int] = set()
        self.orders: list[str] = []
        # A column that a patch sets, and its table.
        self.patched: tuple[str, str] | None = None

    def statement(self) -> tuple[str, int]:
        """Return a random statement; a SELECT may have orders."""
        if self._random.random() < 0.15:
            return self._patch(), 0
        sql, width = super().statement()
        if sql.startswith(("SELECT", "(SELECT")) and "LIMIT" not in sql and "OFFSET" not in sql and self._random.random() < 0.3:
            arms = ("1", "1 DESC NULLS LAST", f"{width}, 1 DESC", "generate_series(1, 2), 1")
            self.orders = [self._random.choice(arms) for _ in range(2)]
            sql += f" ORDER BY {self.orders[0]}"
        return sql, width

    def _inner(self, sources: Sequence[Source]) -> Writer:
        writer = VariedWriter(self._random, sources, params=self._params)
        writer._aliases, writer.optional = self._aliases, self.optional
        return writer

    def _where(self, columns: Sequence[Column], outer: Sequence[Column], conditions: list[str]) -> str:
        # What names outer columns is mostly a subquery of a condition, where no parameter can be optional.
        if not outer and self._params:
            for _ in range(self._random.choice((0, 1, 1, 2))):
                conditions.insert(self._random.randint(0, len(conditions)), self._optional_condition(columns))
        return super()._where(columns, outer, conditions)

    def _parameter(self, type_name: str = INT) -> str:
        """Return an optional parameter, a new one or one that there is."""
        known = [number for number, found in self.optional.items() if found == type_name and number not in self.assigned]
        if known and (len(self.optional) >= _MOST or self._random.random() < 0.2):
            return f"${self._random.choice(known)}::{type_name}"
        number = max(self.optional, default=2) + 1
        self.optional[number] = type_name
        return f"${number}::{type_name}"

    def _optional_condition(self, columns: Sequence[Column]) -> str:
        def sub(type_name: str) -> str:
            fitting = [column.text for column in columns if column.type == type_name]
            if fitting and self._random.random() < 0.7:
                return self._random.choice(fitting)
            return self.expression(columns, (), 0, type_name)

        p = self._parameter
        choices: list[Callable[[], str]] = [
            lambda: f"{sub(INT)} = {p()}",
            lambda: f"{sub(INT)} = {p()}",
            lambda: f"{p()} >= {sub(INT)}",
            lambda: f"{sub(INT)} IS NOT DISTINCT FROM {p()}",
            lambda: f"{sub(INT)} BETWEEN {p()} AND {p()}",
            lambda: f"{sub(INT)} NOT BETWEEN SYMMETRIC 1 AND {p()}",
            lambda: f"{p()} = ANY ({sub(INTS)})",
            lambda: f"{sub(INT)} = ANY ({p(INTS)})",
            lambda: f"({sub(INT)}, {sub(INT)}) {self._random.choice(('=', '<>', '>='))} ({p()}, 1)",
            lambda: f"{sub(INT)} IN ({p()}, 1)",
            lambda: f"upper({sub(TEXT)}) = upper({p(TEXT)})",
            lambda: f"({sub(BOOL)}) = ({p()} > 0)",
            lambda: f"CASE WHEN {p()} > 0 THEN {sub(BOOL)} ELSE {sub(BOOL)} END",
            lambda: f"{p()} IS NOT NULL",
            lambda: f"{p()} > 0",
            lambda: f"{p()} IN (SELECT {self.expression([], (), 0, INT)})",
        ]
        return self._random.choice(choices)()

    def _write(self) -> tuple[str, int]:
        sql, width = super()._write()
        if sql.startswith(("UPDATE", "DELETE")) and " WHERE " in sql and self._random.random() < 0.5:
            head, _, tail = sql.partition(" WHERE ")
            target = next(source for source in self._sources if f" {source.name} " in f"{head} ".replace("DELETE FROM", "UPDATE"))
            columns = [Column(f"{target.name}.{name}", type_name) for name, type_name in target.columns]
            sql = f"{head} WHERE {self._optional_condition(columns)} AND {tail}"
        return sql, width

    def _patch(self) -> str:
        target = self._random.choice([source for source in self._sources if source.writable])
        assignments: list[str] = []
        columns = [column for column in target.columns if column[1] in VALUES]
        for name, type_name in self._random.sample(columns, min(len(columns), self._random.choice((1, 2, 3)))):
            if self._random.random() < 0.2:
                assignments.append(f"{name} = {self._value(name, type_name, target)}")
            else:
                number = max(self.optional, default=2) + 1
                self.optional[number] = type_name
                self.assigned.add(number)
                assignments.append(f"{name} = {self._assigned_value(number, name, type_name)}")
                self.patched = name, target.name
        own = [Column(f"{target.name}.{name}", type_name) for name, type_name in target.columns]
        where = self._random.choice(("", f" WHERE {target.name}.k = 1", f" WHERE {target.name}.k = $1::int", " WHERE true"))
        if where and self._random.random() < 0.3:
            where += f" AND {self._optional_condition(own)}"
        return f"UPDATE {target.name} SET {', '.join(assignments)}{where} RETURNING {', '.join(column.text for column in own)}"

    def _assigned_value(self, number: int, name: str, type_name: str) -> str:
        """Return a value with an optional parameter, which is mostly the parameter itself."""
        own = f"${number}::{type_name}"
        choices = [own] * 4 + [
            f"({own})::{type_name}",
            f"CAST({own} AS text)::{type_name}",
            f"nullif({own}, {name})",
            f"coalesce({own}, {name})",
        ]
        if type_name == INT:
            choices += [f"{own}::numeric / 2", f"{name} + {own}", f"(SELECT max(x) FROM unnest(ARRAY[{own}]) x)"]
        return self._random.choice(choices)


@dataclass(slots=True)
class _Proven:
    """A query with variants, as it is proven, and the statements that are made of it."""

    statement: Statement
    cut: Cut
    proof: StatementProof
    total: dict[str, str]
    assigned: frozenset[int]
    derived: list[Derived] = field(default_factory=list[Derived])
    empty: Empty | None = None


class VariedComparison(Comparison):
    """Runs variants of each query, and compares the rows of each with the one proof."""

    def _statement(self, source: random.Random, sources: list[Source], facts: SchemaFacts) -> tuple[str, Callable[[], str]]:
        writer = VariedWriter(source, sources)
        sql, _ = writer.statement()
        return sql, partial(self._vary, source, facts, sql, writer)

    def _vary(self, source: random.Random, facts: SchemaFacts, sql: str, writer: VariedWriter) -> str:
        used = sorted({placeholder_number(token) for token in significant(sql) if token.kind is Kind.PLACEHOLDER})
        numbers = {number: index for index, number in enumerate(used, start=1)}
        optional = {numbers[number] for number in writer.optional if number in numbers}
        if not optional and not writer.orders:
            return "without variants"
        sql = renumbered(sql, numbers)
        types = [writer.optional.get(number, INT) for number in used]
        statement = Statement(sql, tuple(types), frozenset({numbers[2]} if 2 in numbers else ()), returns_rows=True)
        assigned = {numbers[number] for number in writer.assigned if number in numbers}
        orders = tuple(Order(f"o{index}", by if index else "", "@order own") for index, by in enumerate(writer.orders))
        query = replace(
            _TEMPLATE,
            sql=sql,
            annotations=Annotations(orders=orders),
            params=tuple(ir.UnprovenParam(number, Identifier(f"p{number}"), "", optional=False) for number in numbers.values()),
            variation=ir.Variation(
                frozenset(optional - assigned),
                tuple((o.name, o.by) for o in orders),
                bool(assigned),
                frozenset(assigned) if source.random() < 0.5 else frozenset(),
            ),
        )
        try:
            proven = self._prove(source, facts, query, statement, writer, frozenset(assigned))
        except (psycopg.Error, Refused):
            self._run(b"ROLLBACK TO query")
            return "refused"
        except CompileError as error:
            self._run(b"ROLLBACK TO query")
            if any(found.code is Code.UNVERIFIED_VARIANT and _REFUSED not in found.message for found in error.diagnostics):
                raise Contradiction(str(error)) from error
            return f"refused: {error.diagnostics[0].code}"
        ran = [self._run_variant(source, facts, proven) for _ in range(_CHOSEN)]
        return "compared" if any(ran) else "failed to run"

    def _prove(
        self,
        source: random.Random,
        facts: SchemaFacts,
        query: ir.UnprovenQuery,
        statement: Statement,
        writer: VariedWriter,
        assigned: frozenset[int],
    ) -> _Proven:
        described = describe(self._connection, statement.sql, {})
        whole = prove_statement(self._connection, facts, statement)
        cut = cut_variants(self._connection, facts, query, statement, described)
        proof = prove_variants(self._connection, facts, statement, cut, whole)
        total = {order.name: order.total for order in prove_orders(self._connection, facts, statement, cut, proof)}
        proven = _Proven(statement, cut, proof, total, assigned)
        if source.random() < _RELATED:
            proven.derived, proven.empty = self._related(facts, query, statement, described, proof, writer)
        return proven

    def _run_variant(self, source: random.Random, facts: SchemaFacts, proven: _Proven) -> bool:
        """Run a variant and compare it; return whether it could be run."""
        statement, cut, proof = proven.statement, proven.cut, proven.proof
        omitted = {number for group in cut.groups if source.random() < 0.5 for number in group}
        values = {
            number: _value(source, type_name, proof.params[number - 1])
            for number, type_name in enumerate(statement.param_types, start=1)
            if number not in omitted
        }
        if proven.assigned and proven.assigned <= omitted:
            if proven.empty is not None:
                self.counts["empty patches"] += proven.empty.compare(self._execute, omitted, values)
                self._run(b"ROLLBACK TO query")
            return False
        order = source.choice(cut.orders) if cut.orders else ""
        variant = write_variant(statement.sql, cut, len(statement.param_types), omitted, order)
        given = [values[number] for number in variant.params]
        result = self._execute(variant.sql, given)
        is_run = result.status == pq.ExecStatus.TUPLES_OK
        if is_run:
            self.counts["variants"] += 1
            try:
                compare(proof, result, facts, given=given)
                if proven.total.get(order):
                    self.counts["total orders"] += 1
                    _compare_order(dict(cut.ordering.orders)[order] if cut.ordering else "", result, proven.total[order])
                for one in proven.derived:
                    one.compare(self._execute, omitted, values, result.ntuples)
                    self.counts["counts"] += 1
            except Contradiction as found:
                raise Contradiction(f"{found}\nin the variant: {variant.sql}\nof") from None
        self._run(b"ROLLBACK TO query")
        return is_run

    def _related(
        self,
        facts: SchemaFacts,
        query: ir.UnprovenQuery,
        statement: Statement,
        described: Description,
        proof: StatementProof,
        writer: VariedWriter,
    ) -> tuple[list[Derived], Empty | None]:
        """Return what asks about the rows of a query, or stands for an empty patch; nothing where that is refused."""
        varied = query.variation or ir.Variation()
        try:
            if writer.patched:
                return [], empty_patch(self._connection, facts, query, statement, described, proof, writer.patched)
            return derive(self._connection, facts, query, statement, varied.optional), None
        except (Refused, CompileError) as error:
            codes = {found.code for found in error.diagnostics} if isinstance(error, CompileError) else {Code.REFUSED_QUERY}
            if not codes <= {Code.REFUSED_DERIVATION, Code.REFUSED_PATCH, Code.REFUSED_QUERY, Code.UNGUARDED_WRITE}:
                raise
            self._run(b"ROLLBACK TO query")
            self.counts[f"not related: {', '.join(codes)}"] += 1
            return [], None

    def _execute(self, sql: str, given: Sequence[bytes | None]) -> pq.abc.PGresult:
        return self._connection.pgconn.exec_params(sql.encode(), list(given))


def _compare_order(by: str, result: pq.abc.PGresult, reason: str) -> None:
    """Raise an error for two rows that have the same place in an order by numbers of columns."""
    columns = [int(number) - 1 for number in re.findall("[0-9]+", by)]
    places = [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]
    if len(set(places)) < len(places):
        raise Contradiction(f"two rows have the same place in the order {by}, but: {reason}")


def _value(source: random.Random, type_name: str, param: NullProof) -> bytes | None:
    """Return a value that the function takes for a parameter."""
    if param.nullable and source.random() < 0.3:
        return None
    return source.choice([value for value in VALUES[type_name] if param.element_nullable or b"NULL" not in value])


if __name__ == "__main__":
    main(VariedComparison)
