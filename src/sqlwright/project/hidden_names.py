"""Names in annotations that the errors of sqlc hide, where PostgreSQL knows the columns without sqlc's analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlwright.check.claims import unknown_columns
from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.pipeline import Inputs
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.project.second_opinion import FOR_WANT_OF_SQLC
from sqlwright.prove.sessions import Sessions
from sqlwright.sql.annotations import Annotations, read_annotations, split_alias
from sqlwright.sql.macros import read_statement
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.variants import find_ordering, has_parameter

if TYPE_CHECKING:
    from sqlwright.prove.asking.describe import Description
    from sqlwright.prove.prover import Session


def hidden_names(refused: Iterable[Inputs], sessions: Sessions) -> list[Diagnostic]:
    """Return the errors of `@notnull`, `@nullable` and `@order` in the queries that PostgreSQL accepts; none without a server.

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
    return (source, annotations) if annotations.not_null or annotations.nullable or annotations.orders else None


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
            yield from unknown_columns(source, annotations, _names(described))
            yield from _wrong_orders(session, source, annotations, sql)


def _names(described: Description) -> set[str]:
    """Return the names of columns, with and without the mark of a claim."""
    names = [column.name for column in described.columns]
    return {*names, *(split_alias(name)[0] for name in names)}


def _wrong_orders(session: Session, source: QuerySource, annotations: Annotations, sql: str) -> Iterator[Diagnostic]:
    from sqlwright.prove.asking.describe import Refused, describe
    from sqlwright.prove.asking.orders import refused_order, why_refused

    span = find_ordering(sql)
    if span is None:
        return
    start, end = span
    for order in annotations.orders:
        if order.by and not has_parameter(order.by):
            text = f"{sql[:start]}{order.by}{sql[end:]}"
            try:
                describe(session.connection, text, {})
            except Refused as refused:
                if refused.sqlstate not in FOR_WANT_OF_SQLC:
                    message, cure, offset = why_refused(session.connection, text, refused)
                    yield refused_order(source, order, message, cure, None if offset is None else offset - start)
