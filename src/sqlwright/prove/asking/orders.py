"""Orders of `@order` that are refused: what PostgreSQL says of one, and its place in the query's comment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.prove.asking.describe import Refused
from sqlwright.prove.asking.suggestions import suggest
from sqlwright.sql.annotations import Order
from sqlwright.sql.lexer import significant
from sqlwright.sql.sources import QuerySource


def why_refused(connection: psycopg.Connection[Any], sql: str, refused: Refused) -> tuple[str, str, int | None]:
    """Return what is wrong with a statement in another order that PostgreSQL refuses, how to fix it, and the place in the statement."""
    offset, suggestion = suggest(connection, sql, refused)
    cure = suggestion or refused.hint or "sort by columns that the query can see, each with ASC or DESC and NULLS FIRST or LAST."
    return f"PostgreSQL refuses it: {refused.message}", cure, offset


def more_than_a_list(source: QuerySource, order: Order) -> Diagnostic | None:
    """Report an order with a semicolon, as of one that is followed by another one on its line."""
    semicolon = next((token.start for token in significant(order.by) if token.text == ";"), None)
    if semicolon is None:
        return None
    cure = "write each order on a line of its own, without `;`: `-- @order name: column DESC, column`."
    return refused_order(source, order, "`;` is no part of a list for ORDER BY", cure, semicolon)


def refused_order(source: QuerySource, order: Order, message: str, cure: str, offset: int | None) -> Diagnostic:
    """Report an order; `offset` is a character of its list, None for an error that is about no character of it."""
    return Diagnostic(
        Code.REFUSED_ORDER, f"query {source.name}, @order {order.name}: {message}", _place_in_order(source, order, offset), help=cure
    )


def _place_in_order(source: QuerySource, order: Order, offset: int | None) -> Place:
    """Return the place of a character of an order's list; that of the whole line for one outside of the list."""
    place = source.doc_place(order.line)
    # A list that is written over several lines is one line in `by`.
    if offset is None or not 0 <= offset < len(order.by) or order.by not in place.source_line:
        return place
    token = next((token for token in significant(order.by) if token.start <= offset < token.end), None)
    column = place.source_line.rindex(order.by) + offset + 1
    return replace(place, column=column, width=token.end - offset if token else 1)
