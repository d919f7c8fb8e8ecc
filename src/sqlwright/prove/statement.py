"""The proof of one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from sqlwright.ir import Cardinality, Operation
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules import EXPRESSIONS
from sqlwright.prove.rules.queries import total
from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.rows import cardinality
from sqlwright.prove.rules.scopes import Prover
from sqlwright.prove.rules.verdicts import Nullability, NullProof, ParamProof, Verdict
from sqlwright.prove.shape import parameters, records
from sqlwright.prove.shape.access import tables_read_and_written
from sqlwright.prove.shape.dimensions import output_dimensions
from sqlwright.prove.shape.embeds import EmbedProof, prove_embed
from sqlwright.prove.shape.operation import operation_of
from sqlwright.prove.shape.records import Fields
from sqlwright.prove.tree.enums import CmdType
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Unrecognised
from sqlwright.prove.tree.querytree import analysed_query
from sqlwright.sql.lexer import significant

__all__ = [
    "Cardinality",
    "ColumnProof",
    "RowsProof",
    "Statement",
    "StatementProof",
    "nullable_sort_columns",
    "prove_statement",
    "why_total",
]

_JOIN_WORDS = frozenset({"LEFT", "RIGHT", "FULL", "OUTER", "NATURAL"})


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to prove. `sql` is the final text; `param_types` are SQL type names in order.

    `optional_params` are the numbers that may be None because the author asked for it (`sqlc.narg`). `returns_rows` is as Describe reports,
    `param_dimensions` are those of array parameters by number where they are more than one. `embeds` are the columns that are embedded
    rows: the first one, and how many. `params` are proofs of the first parameters, where they are known; the others must not be None.
    """

    sql: str
    param_types: tuple[str, ...]
    optional_params: frozenset[int]
    returns_rows: bool
    param_dimensions: Mapping[int, int] = field(default_factory=dict[int, int])
    embeds: tuple[tuple[int, int], ...] = ()
    params: tuple[ParamProof, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnProof(NullProof):
    """The proof of a result column. `location` is the character of the statement that the reason points at, if there is one.

    `always_null` is for the constant NULL. `dimensions` are those of an array, 0 where they vary. `fields` are those of an anonymous
    record, or of those in an array, where they are known.
    """

    location: int | None
    always_null: bool
    dimensions: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class RowsProof:
    """The proof of the number of rows; `location` as in `ColumnProof`."""

    cardinality: Cardinality
    reason: str
    location: int | None


@dataclass(frozen=True, slots=True)
class StatementProof:
    """The proof of a statement; `reads` and `writes` are tables and views as "schema.table", sorted.

    `embeds` are in the order of the question; none if the statement cannot be read.
    """

    columns: tuple[ColumnProof, ...]
    rows: RowsProof
    params: tuple[ParamProof, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    operation: Operation
    embeds: tuple[EmbedProof | None, ...] = ()


def prove_statement(connection: psycopg.Connection[Any], facts: SchemaFacts, statement: Statement) -> StatementProof:
    """Prove a statement against the scratch database that `facts` were read from. Nothing is executed, and nothing persists.

    Parameters come first, since columns depend on which of them may be None.

    Raises:
        psycopg.Error: PostgreSQL refuses the statement.
    """
    try:
        tree = analysed_query(connection, statement.sql, [facts.type_oid(name) for name in statement.param_types])
        if not isinstance(tree, Node) or tree.enum("commandType", CmdType) is CmdType.UTILITY:
            operation = operation_of(facts, tree) if isinstance(tree, Node) else Operation()
            return _unproven(statement, "a utility statement returns no rows that can be proven", operation)
        params = statement.params or parameters.judge(facts, tree, len(statement.param_types), statement.optional_params)
        prover = _prover(facts, tree, params, statement)
        # The tree has the columns of RETURNING also where a rule makes another kind of statement of it, which returns nothing.
        verdicts = outputs(prover, tree, None) if statement.returns_rows else ()
        rows = cardinality.rows_of(prover, tree, None)
        reads, writes = tables_read_and_written(facts, tree)
        operation = operation_of(facts, tree)
    except UNREADABLE as problem:
        return _unproven(statement, f"the query tree holds something that is not known here: {problem}", Operation())
    offsets = _CharacterOffsets(statement.sql, connection.info.encoding)
    return StatementProof(
        columns=tuple(
            ColumnProof(
                verdict.nullability,
                verdict.reason,
                _place_of(verdict, offsets, statement.sql),
                always_null,
                output_dimensions(prover, tree, None, index),
                fields,
            )
            for index, (verdict, always_null, fields) in enumerate(
                zip(verdicts, _null_constants(prover, tree), records.output_fields(prover, tree, None), strict=statement.returns_rows)
            )
        ),
        rows=RowsProof(_cardinality(rows), rows.reason, offsets.of(rows.location)),
        params=params,
        reads=reads,
        writes=writes,
        operation=operation,
        embeds=tuple(_embed(prover, tree, *columns) for columns in statement.embeds),
    )


def why_total(connection: psycopg.Connection[Any], facts: SchemaFacts, statement: Statement) -> str:
    """Return why the ORDER BY of a SELECT, whose parameters are known, is total; "" if that is not proven.

    Raises:
        psycopg.Error: PostgreSQL refuses the statement.
    """
    try:
        tree = analysed_query(connection, statement.sql, [facts.type_oid(name) for name in statement.param_types])
    except UNREADABLE:
        return ""
    return total.why_total(_prover(facts, tree, statement.params, statement), tree) if isinstance(tree, Node) else ""


def is_total_in(facts: SchemaFacts, tree: Node, statement: Statement) -> bool:
    """Return whether the ORDER BY of a SELECT inside of a statement, which depends on nothing around it, is total."""
    return bool(total.why_total(_prover(facts, tree, statement.params, statement), tree))


def nullable_sort_columns(connection: psycopg.Connection[Any], facts: SchemaFacts, statement: Statement) -> tuple[bool, ...]:
    """Return which of the columns that a SELECT, whose parameters are known, sorts by may be NULL.

    Raises:
        psycopg.Error: PostgreSQL refuses the statement.
        Unrecognised: its tree cannot be read.
    """
    tree = analysed_query(connection, statement.sql, [facts.type_oid(name) for name in statement.param_types])
    if not isinstance(tree, Node):
        raise Unrecognised("a statement without a tree")
    return total.nullable_sort_columns(_prover(facts, tree, statement.params, statement), tree)


def _prover(facts: SchemaFacts, tree: Node, params: tuple[NullProof, ...], statement: Statement) -> Prover:
    return Prover(
        facts,
        EXPRESSIONS,
        tree,
        frozenset(number for number, param in enumerate(params, start=1) if param.nullable),
        frozenset(number for number, param in enumerate(params, start=1) if param.element_nullable),
        statement.param_dimensions,
    )


def _embed(prover: Prover, tree: Node, first: int, count: int) -> EmbedProof | None:
    try:
        return prove_embed(prover, tree, first, count)
    except UNREADABLE:
        return None


def _null_constants(prover: Prover, tree: Node) -> list[bool]:
    """Return which output columns are the constant NULL itself; none of a set operation."""
    query = prover.query(tree)
    return [
        query.set_operations is None and entry.expression.tag == "CONST" and entry.expression.flag("constisnull") for entry in query.outputs
    ]


def _place_of(verdict: Verdict, offsets: _CharacterOffsets, sql: str) -> int | None:
    """Return where the reason of a verdict points: at the join that null-extends the value, or at the expression."""
    condition = offsets.of(verdict.join_condition) if verdict.nullable else None
    join = join_before(sql, condition) if condition is not None else None
    return offsets.of(verdict.location) if join is None else join


def join_before(sql: str, offset: int) -> int | None:
    """Return the offset of the JOIN whose condition stands at an offset: the last one before it outside of closed parentheses."""
    words = [token for token in significant(sql) if token.start < offset]
    depth = 0
    for index in range(len(words) - 1, -1, -1):
        text = words[index].text.upper()
        if text == ")":
            depth += 1
        elif text == "(":
            depth = max(depth - 1, 0)
        elif text == "JOIN" and depth == 0:
            first = index
            while first and words[first - 1].text.upper() in _JOIN_WORDS:
                first -= 1
            return words[first].start
    return None


def _cardinality(rows: cardinality.Rows) -> Cardinality:
    if not rows.at_most_one:
        return Cardinality.MANY
    return Cardinality.EXACTLY_ONE if rows.at_least_one else Cardinality.AT_MOST_ONE


def unproven_column(reason: str) -> ColumnProof:
    """Return the proof of each column of a statement that cannot be read."""
    nullability = Nullability(nullable=True, element_nullable=True)
    return ColumnProof(nullability, reason, None, always_null=False, dimensions=1, fields=None)


def _unproven(statement: Statement, reason: str, operation: Operation) -> StatementProof:
    params = tuple(
        ParamProof(
            Nullability(nullable=number in statement.optional_params, element_nullable=False),
            "sqlc.narg allows None" if number in statement.optional_params else reason,
        )
        for number in range(1, len(statement.param_types) + 1)
    )
    return StatementProof((), RowsProof(Cardinality.MANY, reason, None), params, (), (), operation)


class _CharacterOffsets:
    """Converts PostgreSQL's offsets, in bytes of its encoding, to characters."""

    def __init__(self, sql: str, encoding: str) -> None:
        self._encoded = sql.encode(encoding)
        self._plain = len(self._encoded) == len(sql)
        self._encoding = encoding

    def of(self, offset: int | None) -> int | None:
        """Return the character offset of a byte offset; None where there is none."""
        if offset is None or offset >= len(self._encoded):
            return None
        return offset if self._plain else len(self._encoded[:offset].decode(self._encoding, errors="ignore"))
