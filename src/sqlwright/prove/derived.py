"""PostgreSQL's word that a derived statement asks about the rows of its query: the query inside of it is that one without its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.prove.asking.describe import describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.volatility import may_change
from sqlwright.prove.shape.likeness import Shape, without_order
from sqlwright.prove.statement import Statement
from sqlwright.prove.tree.enums import CmdType
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree, Unrecognised, walk
from sqlwright.prove.tree.querytree import Query, analysed_query
from sqlwright.sql.derived import Question

_LIMITS = ("limitOffset", "limitCount", "limitOption")


def read_original(connection: psycopg.Connection[Any], query: ir.UnprovenQuery, derivation: ir.Derivation) -> Node:
    """Return the tree of the query that a derived one was made of: a SELECT that only reads.

    Raises:
        CompileError: it writes or locks rows, and would do so again.
    """
    described = describe(connection, derivation.sql, dict(derivation.types))
    try:
        tree = _tree(connection, derivation.sql, described.params)
        for node in walk(tree):
            if node.tag == "QUERY" and Query(node).command is not CmdType.SELECT:
                raise _refused(query, derivation, "the statement writes, and would write again", "remove it: count what is returned.")
            if node.tag == "QUERY" and node.has("rowMarks"):
                raise _refused(query, derivation, "the query locks its rows, and would lock all of them", "remove it, or FOR UPDATE.")
    except UNREADABLE as problem:
        raise _unknown(query, derivation, problem) from problem
    return tree


def verify_derived(
    connection: psycopg.Connection[Any],
    facts: SchemaFacts,
    query: ir.UnprovenQuery,
    statement: Statement,
    derivation: ir.Derivation,
    original: Node,
) -> None:
    """Have PostgreSQL read a derived statement, and compare the query inside of it with the one that it was made of.

    Raises:
        CompileError: they differ in more than order and limits, or the rows may be others when they are asked for again.
    """
    try:
        tree = _tree(connection, statement.sql, [facts.type_oid(name) for name in statement.param_types])
        if may_change(facts, tree):
            why = "the query calls a volatile function or takes a sample, which may return something else the next time"
            raise _refused(query, derivation, why, "remove it, or what is volatile; a sample is the same again with REPEATABLE.")
        inner = _inner(tree, derivation.question)
        numbers = dict(enumerate(derivation.params, start=1))
        if inner.has("limitCount") or inner.has("limitOffset") or _rows(inner, numbers) != _rows(original, {}):
            raise _refused(
                query,
                derivation,
                "PostgreSQL reads the query without ORDER BY and LIMIT as another one",
                "write ORDER BY and LIMIT last, outside of brackets, with plain columns to sort by; or remove it, and write a query.",
            )
    except UNREADABLE as problem:
        raise _unknown(query, derivation, problem) from problem


def _refused(query: ir.UnprovenQuery, derivation: ir.Derivation, why: str, cure: str) -> CompileError:
    place = query.source.doc_place(query.annotations.asked[derivation.question][1])
    message = f"query {derivation.name}: @{derivation.question}, but {why}"
    return CompileError([Diagnostic(Code.REFUSED_DERIVATION, message, place, help=cure)])


def _unknown(query: ir.UnprovenQuery, derivation: ir.Derivation, problem: Exception) -> CompileError:
    why = f"the query tree holds something that is not known here: {problem}"
    return _refused(query, derivation, why, "remove it, and write a query.")


def _tree(connection: psycopg.Connection[Any], sql: str, types: Sequence[int]) -> Node:
    found = analysed_query(connection, sql, types)
    if not isinstance(found, Node):
        raise Unrecognised("a statement without a tree")
    return found


def _inner(tree: Node, question: Question) -> Node:
    """Return the query that a derived statement asks about."""
    if question is Question.COUNT:
        return Query(tree).entry(1).node.node("subquery")
    return Query(tree).targets[0].expression.node("subselect")


def _rows(tree: Node, numbers: Mapping[int, int]) -> object:
    """Return a comparable value of a query without its order and limits, with the parameters' numbers in the whole query."""
    sorts = {str(target.sort_group): repr(Shape(numbers).of(target.expression)) for target in Query(tree).targets if target.sort_group}
    fields = {name: value for name, value in tree.fields.items() if name not in _LIMITS}
    # What ORDER BY sorts by is numbered before what windows sort by.
    fields["windowClause"] = _named(fields.get("windowClause"), sorts)
    return without_order(Node(tree.tag, fields), Shape(numbers))[0]


def _named(tree: Tree, sorts: Mapping[str, str]) -> Tree:
    """Return the windows of a query with expressions in the place of the numbers of what they sort by."""
    if isinstance(tree, list):
        return [_named(item, sorts) for item in tree]
    if not isinstance(tree, Node):
        return tree
    fields = {name: _named(value, sorts) for name, value in tree.fields.items()}
    if tree.has("tleSortGroupRef"):
        fields["tleSortGroupRef"] = sorts[tree.text("tleSortGroupRef")]
    return Node(tree.tag, fields)
