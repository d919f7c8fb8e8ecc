"""Walks over the pages of a query on a server, with the statements that are proven, and without the generated code."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import psycopg
from psycopg import RawCursor

from sqlwright.prove.pages import prove_pages
from sqlwright.sql.pages import Page, PageOrder, PagePiece, Turn, page_pieces, write_page
from sqlwright.sql.variants import Cut, write_variant

from .proving import prove_query


@dataclass
class Paged:
    """A query with pages, as it is proven."""

    sql: str
    cut: Cut
    page: Page
    pieces: tuple[PagePiece, ...]
    types: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many parameters the query has."""
        return len(self.types)

    def subsets(self) -> list[frozenset[int]]:
        """The parameters that may be left out together."""
        groups = self.cut.groups
        some = chain.from_iterable(combinations(groups, count) for count in range(len(groups) + 1))
        return [frozenset(chain.from_iterable(chosen)) for chosen in some]

    def order(self, name: str) -> PageOrder:
        """An order by its name; "" is the default."""
        return next((order for order in self.page.orders if order.name == name), self.page.orders[0])


def prove(connection: psycopg.Connection[Any], comment: str, sql: str, *, every: bool = True) -> Paged:
    """Prove a query with pages."""
    proven = prove_query(connection, comment, sql, every=every)
    with connection.transaction(force_rollback=True):
        page = prove_pages(proven.asked, proven.types, proven.cut, proven.orders, proven.proof, every=every)
    return Paged(proven.sql, proven.cut, page, page_pieces(proven.sql, proven.cut, page), proven.param_types)


def keys_of(order: PageOrder, text: str) -> list[str | None]:
    """Read the keys of a row."""
    found = [str(each).lower() if isinstance(each, bool) else each for each in json.loads(text, parse_int=str, parse_float=str)]
    for index in order.floats:
        if found[index] is not None:
            found[index] = repr(struct.unpack(">d", bytes.fromhex(found[index]))[0])
    return found


def walk(
    connection: psycopg.Connection[Any],
    paged: Paged,
    size: Callable[[], int],
    *,
    backwards: bool = False,
    order: str = "",
    given: Sequence[Any] = (),
    omitted: frozenset[int] = frozenset(),
) -> list[tuple[Any, ...]]:
    """Return the rows of all pages, from one end to the other; `given` are the values of the parameters apart from the page size."""
    found: list[tuple[Any, ...]] = []
    keys: list[str | None] | None = None
    arm = paged.order(order)
    while True:
        count = size()
        nulls = None if keys is None else tuple(index for index, key in enumerate(keys) if key is None)
        page = write_page(paged.pieces, paged.count, Turn(order, backwards, nulls), omitted)
        base = iter(given)
        values = [
            count + 1 if number == paged.page.size else next(base) if number <= paged.count else (keys or [])[number - paged.count - 1]
            for number in page.params
        ]
        rows = RawCursor(connection).execute(page.sql.encode(), values).fetchall()
        found += [row[:-1] for row in rows[:count]]
        if len(rows) <= count:
            return found
        keys = keys_of(arm, rows[count - 1][-1])


def every_row(
    connection: psycopg.Connection[Any], paged: Paged, *, order: str = "", given: Sequence[Any] = (), omitted: frozenset[int] = frozenset()
) -> list[tuple[Any, ...]]:
    """Return the rows of the query itself."""
    variant = write_variant(paged.sql, paged.cut, paged.count, omitted, order if paged.cut.ordering else "")
    base = iter(given)
    values = [2**30 if number == paged.page.size else next(base) for number in variant.params]
    return RawCursor(connection).execute(variant.sql.encode(), values).fetchall()
