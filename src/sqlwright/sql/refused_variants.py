"""`@patch`, `@order` and `@page` that are refused for what the text of a query shows: how each is reported, with and without its tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.sql.annotations import Annotations, Order
from sqlwright.sql.lexer import significant, statement_spans
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.variants import find_ordering, has_parameter

PAGE_ON = "@page on a statement that"
# How the sentence ends, and what to write instead.
NOT_A_SELECT = ("is not a SELECT", "remove it.")
NO_LIMIT = ("has no LIMIT, which is the size of a page", "write `LIMIT @page_size`.")
ORDER_WITH_PARAMETER = ("an order has no parameters", "sort by columns and expressions of them.")
MORE_THAN_A_LIST = ("it is more than a list for ORDER BY", "write `column DESC, column`, with expressions that return one value.")
_SELECTS = frozenset({"select", "table", "values"})
_VERBS = _SELECTS | {"delete", "insert", "merge", "update"}
_DEPTHS = {"(": 1, ")": -1}


def refusals_in_text(source: QuerySource, annotations: Annotations, sql: str, *, readable: bool) -> Iterator[Diagnostic]:
    """Yield what can be said of a query's variants without its tree; of the clauses of its statement only if that is `readable`."""
    words = _words(sql)
    verb = next((word for word in words if word in _VERBS), "")
    if not verb or len(list(statement_spans(sql))) > 1:
        return
    is_select = verb in _SELECTS
    if annotations.patch and verb != "update":
        yield patch_without_update(source, annotations.patch, is_select=is_select)
    if annotations.orders:
        yield from _orders(source, annotations, sql, is_select=is_select, readable=readable)
    if annotations.page:
        is_limited = not readable or "limit" in words or "fetch" in words
        problem = NOT_A_SELECT if not is_select else None if is_limited else NO_LIMIT
        if problem is not None:
            yield _at_line(source, Code.REFUSED_PAGE, f"{PAGE_ON} {problem[0]}", problem[1], annotations.page)


def patch_without_update(source: QuerySource, line: str, *, is_select: bool) -> Diagnostic:
    """Report `@patch` on another statement."""
    cure = "write `-- @optional parameter` for filters." if is_select else "remove it."
    return _at_line(source, Code.REFUSED_PATCH, "@patch on a statement that is not an UPDATE", cure, line)


def order_without_list(source: QuerySource, annotations: Annotations, *, is_select: bool, by: str = "column") -> Diagnostic:
    """Report `@order` on a statement that has no list to put the orders in the place of; `by` is one that PostgreSQL accepts there."""
    cure = "@order is for SELECT: remove it."
    if is_select:
        cure = f"end it with the default order, in front of a LIMIT, such as `ORDER BY {by}`; `-- @order name` names that one."
    return _at_line(source, Code.REFUSED_ORDER, "@order, but the statement has no ORDER BY of its own", cure, annotations.orders[0].line)


def orders_with_semicolon(source: QuerySource, annotations: Annotations) -> list[Diagnostic]:
    """Report the orders with a semicolon, as of one that is followed by another one on its line."""
    cure = "write each order on a line of its own, without `;`: `-- @order name: column DESC, column`."
    return [
        refused_order(source, order, "`;` is no part of a list for ORDER BY", cure, token.start)
        for order in annotations.orders
        for token in islice((token for token in significant(order.by) if token.text == ";"), 1)
    ]


def second_default(source: QuerySource, annotations: Annotations) -> Diagnostic | None:
    """Report a second order without columns, if there is one."""
    own = (order for order in annotations.orders if not order.by)
    second = next(islice(own, 1, None), None)
    if second is None:
        return None
    return _at_line(source, Code.REFUSED_ORDER, "two orders without columns", "write the columns of one: `name: column`.", second.line)


def no_default(source: QuerySource, annotations: Annotations) -> Diagnostic:
    """Report orders none of which is that of the statement."""
    message = "no @order is that of the statement's own ORDER BY, which is the default"
    return _at_line(source, Code.REFUSED_ORDER, message, "name it: `-- @order name`.", annotations.orders[0].line)


def refused_order(source: QuerySource, order: Order, message: str, cure: str, offset: int | None) -> Diagnostic:
    """Report an order; `offset` is a character of its list, None for an error that is about no character of it."""
    return Diagnostic(
        Code.REFUSED_ORDER, f"query {source.name}, @order {order.name}: {message}", _place_in_order(source, order, offset), help=cure
    )


def _orders(source: QuerySource, annotations: Annotations, sql: str, *, is_select: bool, readable: bool) -> Iterator[Diagnostic]:
    span = find_ordering(sql)
    if longer := orders_with_semicolon(source, annotations):
        yield from longer
    elif not is_select or (span is None and readable):
        yield order_without_list(source, annotations, is_select=is_select)
    elif second := second_default(source, annotations):
        yield second
    else:
        own = sql[slice(*span)] if span else ""
        for order in annotations.orders:
            if has_parameter(order.by or own):
                yield refused_order(source, order, *ORDER_WITH_PARAMETER, None)


def _words(sql: str) -> list[str]:
    """Return the words and signs of a statement that are not in brackets, in lower case."""
    found: list[str] = []
    depth = 0
    for token in significant(sql):
        depth += _DEPTHS.get(token.text, 0)
        if depth == 0:
            found.append(token.text.lower())
    return found


def _at_line(source: QuerySource, code: Code, message: str, cure: str, line: str) -> Diagnostic:
    return Diagnostic(code, f"query {source.name}: {message}", source.doc_place(line), help=cure)


def _place_in_order(source: QuerySource, order: Order, offset: int | None) -> Place:
    """Return the place of a character of an order's list; that of the whole line for one outside of the list."""
    place = source.doc_place(order.line)
    # A list that is written over several lines is one line in `by`.
    if offset is None or not 0 <= offset < len(order.by) or order.by not in place.source_line:
        return place
    token = next((token for token in significant(order.by) if token.start <= offset < token.end), None)
    column = place.source_line.rindex(order.by) + offset + 1
    return replace(place, column=column, width=token.end - offset if token else 1)
