"""The variants of a query: where they differ, PostgreSQL's word that each is the statement without those parts, and one proof for all.

Every executed variant is one of the executions of the *switched* statement, in which each condition `c` that may leave is `(c OR $switch)`
and each assignment `a = x` is `a = CASE WHEN $switch THEN x ELSE a END`. What is proven for it holds for all variants (docs/proofs.md).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import psycopg

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.ir.naming import Identifier
from sqlwright.prove.asking.describe import Description, Refused, describe
from sqlwright.prove.asking.orders import more_than_a_list, refused_order, why_refused
from sqlwright.prove.asking.planning import plan
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.shape.likeness import Shape, without_order
from sqlwright.prove.shape.separable import inseparable_uses
from sqlwright.prove.statement import Statement, StatementProof, prove_statement, why_total
from sqlwright.prove.tree.enums import CmdType
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, analysed_query
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.lexer import significant
from sqlwright.sql.nulltests import condition_without_null_test
from sqlwright.sql.variants import (
    Clause,
    Cut,
    Ordering,
    always_used,
    cut_assignments,
    cut_conditions,
    find_ordering,
    has_parameter,
    is_plain_assignment,
    original_offset,
    switched,
    write_variant,
)

_WRITES = (CmdType.UPDATE, CmdType.DELETE)
_UNVERIFIED = "write the condition more plainly, or remove the annotation and write a query for each variant."


def cut_variants(
    connection: psycopg.Connection[Any],
    facts: SchemaFacts,
    query: ir.UnprovenQuery,
    statement: Statement,
    described: Description,
    *,
    every: bool = False,
) -> Cut:
    """Return where the variants of a statement differ, after PostgreSQL has read them as such.

    Read are the one with all parts, those without one group of parameters, and the least one, which every order also is; with `every`, all
    of them.

    Raises:
        CompileError: there are no such variants; it says why.
    """
    asked = VariedQuery(connection, facts, query, statement, described, query.variation or ir.Variation())
    try:
        tree = asked.tree(statement.sql, statement.param_types)
        cut = _cut(asked, tree)
        _verify(asked, tree, cut, every=every)
    except UNREADABLE as problem:
        raise asked.error(
            Code.UNVERIFIED_VARIANT,
            f"its variants cannot be verified, since its query tree holds something that is not known here: {problem}",
            None,
            "remove the annotation, and write a query for each variant.",
        ) from problem
    return cut


def prove_variants(
    connection: psycopg.Connection[Any], facts: SchemaFacts, statement: Statement, cut: Cut, whole: StatementProof
) -> StatementProof:
    """Return the proof that holds for every variant; `whole` is that of the statement with all parts.

    The order of rows is no ground of a proof, so that it needs none of its own.
    """
    if not cut.clauses:
        return whole
    tree = analysed_query(connection, statement.sql, [facts.type_oid(name) for name in statement.param_types])
    text, inserted = switched(statement.sql, cut, len(statement.param_types), _target(tree))
    types = (*statement.param_types, *("bool" for _ in cut.groups))
    proof = prove_statement(connection, facts, replace(statement, sql=text, param_types=types, params=whole.params))
    place = proof.rows.location
    return replace(
        proof,
        columns=tuple(
            column if column.location is None else replace(column, location=original_offset(column.location, inserted))
            for column in proof.columns
        ),
        rows=proof.rows if place is None else replace(proof.rows, location=original_offset(place, inserted)),
        params=whole.params,
    )


def prove_orders(
    connection: psycopg.Connection[Any], facts: SchemaFacts, statement: Statement, cut: Cut, proof: StatementProof
) -> tuple[ir.Order, ...]:
    """Return the orders, the default first, each with the reason why it is total in every variant; `proof` is that of all variants."""
    if cut.ordering is None:
        return ()
    orders: list[ir.Order] = []
    start, end = cut.ordering.start, cut.ordering.end
    types = (*statement.param_types, *("bool" for _ in cut.groups))
    for name, by in cut.ordering.orders:
        # The list stands behind everything else that is cut.
        text, _ = switched(f"{statement.sql[:start]}{by}{statement.sql[end:]}", cut, len(statement.param_types))
        asked = replace(statement, sql=text, param_types=types, params=proof.params)
        orders.append(ir.Order(name, why_total(connection, facts, asked)))
    return tuple(orders)


def _target(tree: Tree) -> str:
    """Return the name of the written table, as an expression writes it; "" for a SELECT."""
    query = Query(tree) if isinstance(tree, Node) else None
    if query is None or query.result_relation is None:
        return ""
    name = query.entry(query.result_relation).alias.replace('"', '""')
    return f'"{name}"'


def _cut(asked: VariedQuery, tree: Node) -> Cut:
    variation = asked.variation
    assignments = _assignments(asked, tree) if variation.patch else None
    assigned = frozenset(number for part in assignments.parts for number in part.params) if assignments else frozenset[int]()
    _refuse_inseparable(asked, tree, variation.optional, assigned)
    clauses = (*([assignments] if assignments else []), *cut_conditions(asked.statement.sql, variation.optional))
    cut = Cut(tuple(sorted(clauses, key=lambda clause: clause.start)), _ordering(asked, tree) if variation.orders else None)
    optional = variation.optional | assigned
    missing = optional - set(cut.optional)
    if missing:
        raise asked.error(
            Code.INSEPARABLE_CONDITION,
            f"no condition of WHERE mentions the optional parameter {asked.names({min(missing)})}",
            None,
            "remove it from the annotation.",
        )
    unused = {param.number for param in asked.query.params} - optional - always_used(asked.statement.sql, cut)
    if unused:
        raise asked.error(
            Code.INSEPARABLE_CONDITION,
            f"the parameter {asked.names({min(unused)})} is required, but only parts of the statement mention it that may leave",
            next((token.start for token in significant(asked.statement.sql) if token.text == f"${min(unused)}"), None),
            "add it to the annotation: then it is passed together with what it shares a condition with, or left out with it.",
        )
    return cut


def _assignments(asked: VariedQuery, tree: Node) -> Clause:
    patched = asked.variation.patched or None
    line = asked.query.annotations.patch
    command = Query(tree).command
    if command is not CmdType.UPDATE:
        cure = "write `-- @optional parameter` for filters." if command is CmdType.SELECT else "remove it."
        raise asked.error_at_line(Code.REFUSED_PATCH, "@patch on a statement that is not an UPDATE", line, cure)
    clause = cut_assignments(asked.statement.sql, patched)
    never = _never_assigned(asked, clause)
    if never:
        raise CompileError(never)
    if clause is None:
        raise asked.error_at_line(
            Code.REFUSED_PATCH,
            "@patch, but no assignment of SET has a parameter of its own",
            line,
            "write `column = @parameter`, with a parameter that is not used elsewhere.",
        )
    for part in clause.parts:
        text = asked.statement.sql[part.start : part.end]
        if part.params and not is_plain_assignment(text):
            raise asked.error(
                Code.REFUSED_PATCH,
                "only an assignment of a whole column can leave a patch",
                part.start,
                "write `column = value` for each column, or name the parameters that may leave: `-- @patch parameter`.",
            )
    return clause


def _never_assigned(asked: VariedQuery, clause: Clause | None) -> list[Diagnostic]:
    """Report the parameters that `@patch` names and no assignment mentions."""
    assigned = {number for part in clause.parts for number in part.params} if clause else set[int]()
    missing = {asked.name(number) for number in asked.variation.patched - assigned}
    source = asked.query.source
    return [
        Diagnostic(
            Code.REFUSED_PATCH,
            f"query {source.name}: @patch names `{name}`, which no assignment of SET mentions",
            source.doc_place(line),
            help=f"assign it in SET, or remove it from the annotation; `-- @optional {name}` is for a filter.",
        )
        for name, line in asked.query.annotations.patched.items()
        if Identifier.from_sql(name) in missing
    ]


def _refuse_inseparable(asked: VariedQuery, tree: Node, optional: frozenset[int], assigned: frozenset[int]) -> None:
    encoded = asked.statement.sql.encode(asked.connection.info.encoding)
    found: dict[int, Diagnostic] = {}
    for use in inseparable_uses(tree, optional, assigned):
        if use.number not in found:
            name = asked.name(use.number)
            offset = None if use.location is None else len(encoded[: use.location].decode(asked.connection.info.encoding))
            found[use.number] = Diagnostic(
                Code.INSEPARABLE_CONDITION,
                f"query {asked.query.name}: the optional parameter `{name}` stands {use.where.words},"
                " so it is not clear what leaves the statement with it",
                place := asked.place(offset),
                help=use.where.cure(name, condition_without_null_test(asked.query.source, place)),
            )
    if found:
        raise CompileError(found.values())


def _ordering(asked: VariedQuery, tree: Node) -> Ordering:
    """Return the orders, the default first."""
    sql, annotations = asked.statement.sql, asked.query.annotations
    first = annotations.orders[0].line
    span = find_ordering(sql) if Query(tree).command is CmdType.SELECT else None
    if longer := [found for order in annotations.orders if (found := more_than_a_list(asked.query.source, order)) is not None]:
        raise CompileError(longer)
    if span is None:
        cure = _default_order(asked) if Query(tree).command is CmdType.SELECT else "@order is for SELECT: remove it."
        raise asked.error_at_line(Code.REFUSED_ORDER, "@order, but the statement has no ORDER BY of its own", first, cure)
    start, end = span
    own = [order for order in annotations.orders if not order.by]
    if len(own) > 1:
        raise asked.error_at_line(
            Code.REFUSED_ORDER, "two orders without columns", own[1].line, "write the columns of one: `name: column`."
        )
    problems: list[Diagnostic] = []
    for order in annotations.orders:
        by = order.by or sql[start:end]
        offset: int | None = None
        if has_parameter(by):
            message, cure = "an order has no parameters", "sort by columns and expressions of them."
        elif not order.by:
            continue
        else:
            message, cure, is_own, offset = _compare_order(asked, tree, f"{sql[:start]}{by}{sql[end:]}")
            own += [order] if is_own and not own else []
        if message:
            problems.append(refused_order(asked.query.source, order, message, cure, None if offset is None else offset - start))
    if problems:
        raise CompileError(problems)
    if not own:
        raise asked.error_at_line(
            Code.REFUSED_ORDER,
            "no @order is that of the statement's own ORDER BY, which is the default",
            first,
            "name it: `-- @order name`.",
        )
    others = tuple((order.name, order.by) for order in annotations.orders if order is not own[0])
    return Ordering(start, end, ((own[0].name, sql[start:end]), *others))


def _default_order(asked: VariedQuery) -> str:
    """Return how to write the default order, with the first one of the annotations that PostgreSQL accepts."""

    def is_accepted(by: str) -> bool:
        try:
            describe(asked.connection, f"{asked.statement.sql} ORDER BY {by}", {})
        except Refused:
            return False
        return True

    by = next((order.by for order in asked.query.annotations.orders if order.by and is_accepted(order.by)), "column")
    return f"end it with the default order, in front of a LIMIT, such as `ORDER BY {by}`; `-- @order name` names that one."


def _compare_order(asked: VariedQuery, tree: Node, sql: str) -> tuple[str, str, bool, int | None]:
    """Return what is wrong with a statement in another order, how to fix it, whether it is the statement's own order, and the place."""
    try:
        described = describe(asked.connection, sql, {})
        other = asked.tree(sql, asked.statement.param_types)
    except Refused as refused:
        message, cure, offset = why_refused(asked.connection, sql, refused)
        return message, cure, False, offset
    (rest, sort), (own_rest, own_sort) = without_order(other, Shape()), without_order(tree, Shape())
    if rest != own_rest or described != asked.described:
        return "it is more than a list for ORDER BY", "write `column DESC, column`, with expressions that return one value.", False, None
    return "", "", sort == own_sort, None


def _verify(asked: VariedQuery, tree: Node, cut: Cut, *, every: bool) -> None:
    """Have PostgreSQL read variants and the switched statement."""
    assigned = {number for clause in cut.clauses if clause.assigns for part in clause.parts for number in part.params}
    groups = [frozenset(group) for group in cut.groups]
    kept = next((group for group in groups if group & assigned), frozenset[int]())
    least = frozenset(cut.optional) - kept
    chosen = [frozenset[int](), *groups, least]
    if every:
        chosen = [frozenset[int]().union(*some) for count in range(len(groups) + 1) for some in combinations(groups, count)]
    # A patch that sets nothing is never sent.
    sent = [omitted for omitted in dict.fromkeys(chosen) if not assigned or assigned - omitted]
    for omitted in sent:
        _verify_variant(asked, tree, cut, omitted, "")
    for order in cut.orders[1:]:
        for omitted in sent if every else (least,):
            _verify_variant(asked, tree, cut, omitted, order)
    if groups:
        _verify_switched(asked, tree, cut)


def _verify_variant(asked: VariedQuery, tree: Node, cut: Cut, omitted: frozenset[int], order: str) -> None:
    statement = asked.statement
    variant = write_variant(statement.sql, cut, len(statement.param_types), omitted, order)
    what = f" without {asked.names(omitted)}" if omitted else ""
    if order:
        what += f" in the order {order}"
    try:
        described = describe(asked.connection, variant.sql, {})
        types = [statement.param_types[number - 1] for number in variant.params]
        other = asked.tree(variant.sql, types)
        plan(asked.connection, variant.sql, len(types))
    except Refused as refused:
        raise asked.error(
            Code.UNVERIFIED_VARIANT, f"PostgreSQL refuses it{what}: {refused.message}", None, refused.hint or _UNVERIFIED
        ) from refused
    wanted = Shape(spans=_bytes(statement.sql, cut, omitted, asked.connection.info.encoding))
    found = Shape(numbers=dict(enumerate(variant.params, start=1)))
    same = described.columns == asked.described.columns and described.params == tuple(
        asked.described.params[number - 1] for number in variant.params
    )
    # The orders were compared before; here, what else is in the statement.
    both = (wanted.of(tree), found.of(other)) if not order else (without_order(tree, wanted)[0], without_order(other, found)[0])
    if not same or both[0] != both[1]:
        raise asked.error(
            Code.UNVERIFIED_VARIANT,
            f"PostgreSQL reads it{what} as another statement than this one without those parts",
            None,
            _UNVERIFIED,
        )
    for node in walk(other):
        if node.tag == "QUERY" and Query(node).command in _WRITES and Query(node).where is None:
            _refuse_unguarded(asked, tree, cut, omitted)


def _refuse_unguarded(asked: VariedQuery, tree: Node, cut: Cut, omitted: frozenset[int]) -> None:
    """Refuse conditions of an UPDATE or DELETE that may all leave."""
    before = [Query(node) for node in walk(tree) if node.tag == "QUERY"]
    encoding = asked.connection.info.encoding
    spans = _bytes(asked.statement.sql, cut, omitted, encoding)
    for query in before:
        place = location(query.where) if query.where is not None else None
        if query.command in _WRITES and place is not None and any(start <= place < end for start, end in spans):
            raise asked.error(
                Code.UNGUARDED_WRITE,
                f"without {asked.names(omitted)}, it would write every row",
                len(asked.statement.sql.encode(encoding)[:place].decode(encoding)),
                "add a condition that always remains, or make the parameters required.",
            )


def _verify_switched(asked: VariedQuery, tree: Node, cut: Cut) -> None:
    statement = asked.statement
    count = len(statement.param_types)
    text, _ = switched(statement.sql, cut, count, _target(tree))
    columns = frozenset[int]()
    if any(clause.assigns for clause in cut.clauses):
        spans = _bytes(statement.sql, cut, frozenset(cut.optional), asked.connection.info.encoding)
        inside = ((target.number, location(target.expression)) for target in Query(tree).targets)
        columns = frozenset(n for n, place in inside if place is not None and any(start <= place < end for start, end in spans))
    try:
        other = asked.tree(text, (*statement.param_types, *("bool" for _ in cut.groups)))
    except psycopg.Error as error:
        raise asked.error(
            Code.UNVERIFIED_VARIANT,
            f"PostgreSQL refuses the statement that stands for all variants: {error.diag.message_primary or error}",
            None,
            _UNVERIFIED,
        ) from error
    if Shape(columns=columns).of(tree) != Shape(columns=columns, switches=count + 1).of(other):
        raise asked.error(Code.UNVERIFIED_VARIANT, "PostgreSQL reads its conditions differently when they have switches", None, _UNVERIFIED)


def _bytes(sql: str, cut: Cut, omitted: frozenset[int], encoding: str) -> tuple[tuple[int, int], ...]:
    """Return where the parts are that leave with the parameters, in bytes."""
    leaving = [part for clause in cut.clauses for part in clause.parts if not omitted.isdisjoint(part.params)]
    return tuple((len(sql[: part.start].encode(encoding)), len(sql[: part.end].encode(encoding))) for part in leaving)
