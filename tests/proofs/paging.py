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

from sqlwright.prove.asking.describe import TypeNames, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.pages import prove_pages
from sqlwright.prove.statement import Statement, prove_statement
from sqlwright.prove.variants import cut_variants, prove_orders, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.pages import Page, PageOrder, PagePiece, Turn, page_pieces, write_page
from sqlwright.sql.placeholders import with_casts
from sqlwright.sql.variants import Cut, write_variant
from tests.support.stages import unproven


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
    text = "".join(f"-- {line}\n" for line in comment.splitlines()) + f"-- name: Q :many\n{sql};\n"
    query = unproven(text).modules[0].queries[0]
    assert query.variation
    facts, types = SchemaFacts.load(connection), TypeNames(connection)
    with connection.transaction(force_rollback=True):
        guessed = describe(connection, query.sql, {})
        casts = {number: types.cast_name(oid) for number, oid in enumerate(guessed.params, start=1)}
        final = with_casts(query.sql, casts)
        described = describe(connection, final, {})
        statement = Statement(final, tuple(casts.values()), frozenset(), returns_rows=bool(described.columns))
        whole = prove_statement(connection, facts, statement)
        cut = cut_variants(connection, facts, query, statement, described, every=every)
        proof = prove_variants(connection, facts, statement, cut, whole)
        orders = prove_orders(connection, facts, statement, cut, proof)
        question = VariedQuery(connection, facts, query, statement, described, query.variation)
        page = prove_pages(question, types, cut, orders, proof, every=every)
        return Paged(final, cut, page, page_pieces(final, cut, page), tuple(casts.values()))


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
