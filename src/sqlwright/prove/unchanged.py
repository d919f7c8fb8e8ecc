"""`@patch or select`: PostgreSQL's word that a SELECT returns the rows of an UPDATE as they are, and one proof for both."""

from __future__ import annotations

from dataclasses import replace

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError
from sqlwright.ir.proofs import Unchanged
from sqlwright.prove.asking.describe import Refused, describe
from sqlwright.prove.asking.planning import plan
from sqlwright.prove.rules.verdicts import Nullability
from sqlwright.prove.shape.likeness import Shape
from sqlwright.prove.statement import Cardinality, ColumnProof, RowsProof, Statement, StatementProof, prove_statement
from sqlwright.prove.tree.enums import CmdType
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, walk
from sqlwright.prove.tree.querytree import Query
from sqlwright.prove.variants import cut_variants, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.annotations import Annotations
from sqlwright.sql.unchanged import select_of
from sqlwright.sql.variants import Cut

# How a table is locked and named is not what is compared: a SELECT reads it, an UPDATE writes it.
_OF_ENTRIES = frozenset({"rellockmode", "inFromCl"})
_ROWS = (ir.Command.ONE, ir.Command.MANY)
_WRONG_COMMAND = "it returns no rows", "add RETURNING, and use :one or :many."
_FROM = "it has FROM, and could find a row several times", "write the other tables into subqueries of WHERE, or remove `or select`."
_OTHER = "PostgreSQL reads the SELECT as something else", "return plain columns of the table, without OLD and NEW; or remove `or select`."


def _refused(asked: VariedQuery, why: str, cure: str) -> CompileError:
    """The error for a patch whose rows no SELECT is certain to return."""
    return asked.error_at_line(Code.REFUSED_PATCH, f"`@patch or select`, but {why}", asked.query.annotations.patch, cure)


def prove_unchanged(asked: VariedQuery, proof: StatementProof) -> tuple[StatementProof, Unchanged]:
    """Return the proof that holds for the UPDATE and the SELECT, and the SELECT; `proof` is that of all variants of the UPDATE.

    Raises:
        CompileError: it is not certain that such a SELECT returns the same rows.
    """
    try:
        statement, params = _select(asked)
    except UNREADABLE as problem:
        raise _refused(asked, f"its query tree holds something that is not known here: {problem}", _OTHER[1]) from problem
    statement = replace(statement, params=tuple(proof.params[number - 1] for number in params))
    found, cut = prove_statement(asked.connection, asked.facts, statement), Cut()
    query = _as_query(asked.query, statement, params)
    if query.variation is not None:
        described = describe(asked.connection, statement.sql, {})
        cut = cut_variants(asked.connection, asked.facts, query, statement, described)
        found = prove_variants(asked.connection, asked.facts, statement, cut, found)
    columns = tuple(_either(asked, update, select) for update, select in zip(proof.columns, found.columns, strict=True))
    return replace(proof, columns=columns, rows=_weaker(proof.rows, found.rows)), Unchanged(statement.sql, cut, params)


def _select(asked: VariedQuery) -> tuple[Statement, tuple[int, ...]]:
    """Return the SELECT, and the numbers of its parameters in the UPDATE, after PostgreSQL has read both."""
    update = Query(asked.tree(asked.statement.sql, asked.statement.param_types))
    written = select_of(asked.statement.sql)
    if written is None or asked.query.command not in _ROWS:
        raise _refused(asked, *_WRONG_COMMAND)
    if asked.query.embeds:
        raise _refused(asked, "it returns an embedded row", "return the columns of the table.")
    if len(update.from_items) != 1:
        raise _refused(asked, *_FROM)
    target = asked.facts.relation(update.target_relation)
    if not target.is_table or target.rules:
        raise _refused(asked, f"`{target.name}` is not a plain table", "update the table, or remove `or select`.")
    if any(node.tag == "QUERY" and node is not update.node and Query(node).command is not CmdType.SELECT for node in walk(update.node)):
        raise _refused(asked, "its WITH writes", "write that as a statement of its own, or remove `or select`.")
    types = tuple(asked.statement.param_types[number - 1] for number in written.params)
    try:
        described = describe(asked.connection, written.sql, {})
        select = Query(asked.tree(written.sql, types))
        plan(asked.connection, written.sql, len(types))
    except Refused as refused:
        raise _refused(asked, f"PostgreSQL refuses the SELECT: {refused.message}", _OTHER[1]) from refused
    numbers = dict(enumerate(written.params, start=1))
    if described.columns != asked.described.columns or _read(update, Shape()) != _read(select, Shape(numbers)):
        raise _refused(asked, *_OTHER)
    dimensions = {index: asked.statement.param_dimensions.get(number, 1) for index, number in numbers.items()}
    more = {index: count for index, count in dimensions.items() if count > 1}
    return Statement(written.sql, types, frozenset(), returns_rows=True, param_dimensions=more), written.params


def _read(query: Query, shape: Shape) -> object:
    """Return a comparable value of what a statement reads and returns."""
    entries = [Node(entry.node.tag, {n: v for n, v in entry.node.fields.items() if n not in _OF_ENTRIES}) for entry in query.range_table]
    items = [shape.of(entry) for entry in entries]
    return (
        items,
        shape.of(query.node.node("jointree")),
        shape.of(query.node.raw("cteList")),
        [shape.of(each.node) for each in query.outputs],
    )


def _as_query(query: ir.UnprovenQuery, statement: Statement, params: tuple[int, ...]) -> ir.UnprovenQuery:
    """Return the SELECT as a query whose conditions may leave."""
    numbers = {number: index for index, number in enumerate(params, start=1)}
    varied = query.variation.optional if query.variation else frozenset[int]()
    optional = frozenset(numbers[number] for number in varied if number in numbers)
    return replace(
        query,
        sql=statement.sql,
        params=tuple(replace(param, number=numbers[param.number]) for param in query.params if param.number in numbers),
        annotations=Annotations(optional=query.annotations.optional),
        variation=ir.Variation(optional) if optional else None,
    )


def _either(asked: VariedQuery, update: ColumnProof, select: ColumnProof) -> ColumnProof:
    """Return the proof of a column that comes from either statement."""
    if (update.dimensions, update.fields) != (select.dimensions, select.fields):
        raise _refused(asked, "a column has another shape in the SELECT", "cast it to its type in RETURNING, or remove `or select`.")
    chosen = select if select.nullable and not update.nullable else update
    nullability = Nullability(nullable=chosen.nullable, element_nullable=update.element_nullable or select.element_nullable)
    return replace(chosen, nullability=nullability, always_null=update.always_null and select.always_null, location=update.location)


def _weaker(update: RowsProof, select: RowsProof) -> RowsProof:
    order = (Cardinality.EXACTLY_ONE, Cardinality.AT_MOST_ONE, Cardinality.MANY)
    weaker = max((update, select), key=lambda rows: order.index(rows.cardinality))
    return replace(weaker, location=update.location)
