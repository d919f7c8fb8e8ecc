"""Names in annotations that the errors of sqlc hide, where PostgreSQL knows the columns without sqlc's analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlwright.check.claims import unknown_columns
from sqlwright.check.options import unknown_json
from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.pipeline import Inputs
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.project.hidden import has_numbers, named_parameters
from sqlwright.project.second_opinion import FOR_WANT_OF_SQLC
from sqlwright.prove.sessions import Sessions
from sqlwright.sql.annotations import Annotations, read_annotations, split_alias
from sqlwright.sql.macros import read_statement
from sqlwright.sql.refused_variants import MORE_THAN_A_LIST, no_default, orders_with_semicolon, refused_order
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.variants import find_ordering, has_parameter

if TYPE_CHECKING:
    from sqlwright.prove.asking.describe import ResultColumn
    from sqlwright.prove.prover import Session


def hidden_names(refused: Iterable[Inputs], sessions: Sessions) -> list[Diagnostic]:
    """Return the errors of `@notnull`, `@nullable`, `@json` and `@order` in the queries that PostgreSQL accepts; none without a server.

    `refused` are the files of the packages that sqlc could not read.
    """
    found: list[Diagnostic] = []
    for inputs in refused:
        queries = [each for each in map(_annotated, inputs.sources.values()) if each]
        # Without a server, and where its schema is refused, nothing is known of a package's columns.
        with suppress(CompileError, ServerUnavailable):
            found += _wrong_names(sessions.over(inputs.schema, nullable_elements=False), queries) if queries else ()
    return found


def _annotated(source: QuerySource) -> tuple[QuerySource, Annotations] | None:
    if source.sqlc_only:
        return None
    annotations = read_annotations(source).annotations
    return (source, annotations) if annotations.not_null or annotations.nullable or annotations.json or annotations.orders else None


def _wrong_names(session: Session, queries: Iterable[tuple[QuerySource, Annotations]]) -> Iterator[Diagnostic]:
    # Imported after the session, which has imported psycopg.
    from sqlwright.prove.asking.describe import Refused, describe
    from sqlwright.prove.prover import connected

    with connected(), session.connection.transaction(force_rollback=True):
        for source, annotations in queries:
            sql = read_statement(source.text, {}).sql
            try:
                described = describe(session.connection, sql, {})
            except Refused:
                continue
            columns = [_column_name(session, column) for column in described.columns]
            yield from unknown_columns(source, annotations, set(columns))
            if not has_numbers(source):
                yield from unknown_json(source, annotations, [*columns, *(param.name for param in named_parameters(source))])
            yield from _wrong_orders(session, source, annotations, sql, described.params)


def _column_name(session: Session, column: ResultColumn) -> str:
    """Return a column's name without the mark of a claim; a table column really named `total!` claims nothing."""
    place = session.located.get(column.origin) if column.origin else None
    return column.name if place and place[2] == column.name else split_alias(column.name)[0]


def _wrong_orders(session: Session, source: QuerySource, annotations: Annotations, sql: str, types: Sequence[int]) -> Iterator[Diagnostic]:
    from sqlwright.prove.asking.describe import Refused, describe
    from sqlwright.prove.asking.orders import why_refused

    span = find_ordering(sql)
    if span is None or orders_with_semicolon(source, annotations):
        return
    start, end = span
    # A misspelt one may be meant as the default.
    has_default = any(not order.by or has_parameter(order.by) for order in annotations.orders)
    for order in annotations.orders:
        if order.by and not has_parameter(order.by):
            text = f"{sql[:start]}{order.by}{sql[end:]}"
            try:
                describe(session.connection, text, {})
                is_list, is_own = _compare(session, sql, text, types)
                has_default = has_default or is_own or not is_list
                if not is_list:
                    yield refused_order(source, order, *MORE_THAN_A_LIST, None)
            except Refused as refused:
                has_default = True
                if refused.sqlstate not in FOR_WANT_OF_SQLC:
                    message, cure, offset = why_refused(session.connection, text, refused)
                    yield refused_order(source, order, message, cure, None if offset is None else offset - start)
    if not has_default:
        yield no_default(source, annotations)


def _compare(session: Session, sql: str, other: str, types: Sequence[int]) -> tuple[bool, bool]:
    """Return whether another statement differs in nothing but its order, and whether it has the same one; both if a tree cannot be read."""
    import psycopg

    from sqlwright.prove.shape.likeness import Shape, without_order
    from sqlwright.prove.tree.nodetree import UNREADABLE, Node
    from sqlwright.prove.tree.querytree import analysed_query

    try:
        own, found = (analysed_query(session.connection, text, types) for text in (sql, other))
        if not isinstance(own, Node) or not isinstance(found, Node):
            return True, True
        (own_rest, own_sort), (rest, sort) = without_order(own, Shape()), without_order(found, Shape())
    except (*UNREADABLE, psycopg.ProgrammingError):
        return True, True
    return rest == own_rest, sort == own_sort
