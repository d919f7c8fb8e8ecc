"""Statements of pages as text: the places where they differ, their orders in both directions, and what is written there.

As with other variants, the cuts are proposals: prove/pages.py has PostgreSQL read every statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.variants import ClausePiece, Cut, Part, Piece, renumbered
from sqlwright.sql.variants import pieces as pieces_of

_DEPTHS = {"(": 1, "[": 1, ")": -1, "]": -1}


@dataclass(frozen=True, slots=True)
class SortItem:
    """An item of ORDER BY: its expression, its direction (ASC, DESC, `USING <`, or "") and NULLS FIRST, NULLS LAST or ""."""

    text: str
    direction: str
    nulls: str

    def backwards(self, operator: str) -> str:
        """Return the item in the opposite direction, where `operator` is the opposite of a USING."""
        if self.direction.upper().startswith("USING"):
            direction = f" USING {operator}"
        else:
            direction = "" if self.direction.upper() == "DESC" else " DESC"
        flipped = {"": "", "FIRST": " NULLS LAST", "LAST": " NULLS FIRST"}
        return f"{self.text}{direction}{flipped[self.nulls]}"


@dataclass(frozen=True, slots=True)
class Places:
    """Offsets in a statement: of its output columns, of its WHERE if it has one, and of ORDER BY and the end of what is before it.

    Those of WHERE are of the word, of the condition and its end.
    """

    outputs: tuple[tuple[int, int], ...]
    where: tuple[int, int, int] | None
    before_order: int
    order: int


@dataclass(frozen=True, slots=True)
class PageWhere:
    """The WHERE that the condition of a page is added to, from `start` to `end`; where there is none, both are the place for one.

    `enclosed`: what is there stands in brackets.
    """

    start: int
    end: int
    opening: str
    separator: str
    parts: tuple[Part, ...]
    enclosed: bool


@dataclass(frozen=True, slots=True)
class PageOrder:
    """An order of pages: its lists for ORDER BY in both directions, and the expressions by which it sorts.

    `after` and `before` are the conditions for the rows after and before a row, each with the indexes of the values that are NULL in it. In
    them, the values are the parameters that follow those of the statement. `mark` is a hash of all that a cursor depends on; the values at
    `floats` are encoded. `total` is why no two rows have the same place.
    """

    name: str
    mark: str
    forwards: str
    backwards: str
    keys: tuple[str, ...]
    casts: tuple[str, ...]
    after: tuple[tuple[tuple[int, ...], str], ...]
    before: tuple[tuple[tuple[int, ...], str], ...]
    floats: tuple[int, ...] = ()
    total: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Where the pages of a statement differ: `size` is the number of LIMIT's parameter, `output` the offset after the output columns."""

    size: int
    output: int
    where: PageWhere
    sort: tuple[int, int]
    orders: tuple[PageOrder, ...]


@dataclass(frozen=True, slots=True)
class KeysPiece:
    """The output column that holds the values by which a row is sorted."""


@dataclass(frozen=True, slots=True)
class WherePiece:
    """The WHERE that the condition of a page is added to."""

    clause: ClausePiece


@dataclass(frozen=True, slots=True)
class SortPiece:
    """The orders of pages, the default first."""

    orders: tuple[PageOrder, ...]


PagePiece: TypeAlias = Piece | KeysPiece | WherePiece | SortPiece


@dataclass(frozen=True, slots=True)
class Turn:
    """Which page: its order ("" is the default), its direction, and which values of the row beside it are NULL; None without such a row."""

    order: str = ""
    backwards: bool = False
    nulls: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """The statement of a page: its text, the numbers of its parameters as `Written` has them, and from where to where its condition is."""

    sql: str
    params: tuple[int, ...]
    condition: tuple[int, int]


def is_piece(piece: PagePiece) -> TypeGuard[Piece]:
    """Return whether a piece is one of any variant, and not of pages alone."""
    return not isinstance(piece, KeysPiece | WherePiece | SortPiece)


def find_places(sql: str) -> Places | None:
    """Return the places of a plain SELECT … FROM … ORDER BY; None for another statement."""
    tokens = significant(sql)
    words = {name: index for index, name in reversed(list(_top_words(tokens)))}
    select = words.get("select")
    from_ = next((i for i, name in _top_words(tokens) if name == "from" and select is not None and i > select), None)
    order = next((i for i, name in _top_words(tokens) if name == "order" and from_ is not None and i > from_), None)
    if select is None or from_ is None or order is None:
        return None
    outputs = tuple((tokens[first].start, tokens[last - 1].end) for first, last in _items(tokens, select + 1, from_))
    where = words.get("where")
    found = None if where is None else (tokens[where].start, tokens[where + 1].start, tokens[order - 1].end)
    return Places(outputs, found, tokens[order - 1].end, tokens[order].start)


def page_where(sql: str, cut: Cut, places: Places) -> PageWhere:
    """Return the WHERE of a statement that is cut, as that of its pages."""
    if places.where is None:
        end = places.before_order
        return PageWhere(end, end, "\nWHERE " if "\n" in sql[end : places.order] else " WHERE ", " AND ", (), enclosed=False)
    start, first, end = places.where
    for clause in cut.clauses:
        if clause.start <= start < clause.end:
            opening = sql[clause.start : clause.parts[0].start]
            return PageWhere(clause.start, clause.end, opening, clause.separator, clause.parts, enclosed=False)
    separator = "\n  AND " if "\n" in sql[first:end] else " AND "
    has_or = any(name == "or" for _, name in _top_words(significant(sql[first:end])))
    return PageWhere(start, end, sql[start:first], separator, (Part(first, end),), enclosed=has_or)


def sort_items(by: str) -> tuple[SortItem, ...]:
    """Return the items of a list for ORDER BY."""
    tokens = significant(by)
    return tuple(_sort_item(by, tokens[first:last]) for first, last in _items(tokens, 0, len(tokens)))


def without_alias(sql: str) -> tuple[str, ...]:
    """Return what the expression of an output column may be: the text without `AS name`, without a last word, and as it is."""
    tokens = significant(sql)
    found = [sql]
    if len(tokens) > 1:
        found.insert(0, sql[: tokens[-2].end])
    if len(tokens) > 2 and tokens[-2].text.lower() == "as":  # noqa: PLR2004 - expression, AS, name
        found.insert(0, sql[: tokens[-3].end])
    return tuple(found)


def page_pieces(sql: str, cut: Cut, page: Page) -> tuple[PagePiece, ...]:
    """Return the statement of a query's pages in pieces, in the text's order."""
    where, (start, end) = page.where, page.sort
    parts = tuple(
        (f"({sql[part.start : part.end]})" if where.enclosed else sql[part.start : part.end], part.params) for part in where.parts
    )
    clause = WherePiece(ClausePiece(where.opening, where.separator, parts, assigns=False))
    inside = Cut(tuple(each for each in cut.clauses if each.start != where.start))
    found: list[PagePiece] = []
    position = 0
    for first, last, piece in (
        (page.output, page.output, KeysPiece()),
        (where.start, where.end, clause),
        (start, end, SortPiece(page.orders)),
    ):
        found += [*_between(sql, inside, position, first), piece]
        position = last
    return (*found, *_between(sql, inside, position, len(sql)))


def _between(sql: str, cut: Cut, start: int, end: int) -> tuple[Piece, ...]:
    """Return the pieces of a part of a statement."""
    clauses = [clause for clause in cut.clauses if start <= clause.start and clause.end <= end]
    return pieces_of(sql[:end], Cut(tuple(clauses)), start)


def write_page(found: Iterable[PagePiece], count: int, turn: Turn, omitted: AbstractSet[int] = frozenset()) -> WrittenPage:
    """Return the statement of a page from its pieces, for a statement with `count` parameters, without the omitted ones."""
    chunks = list(found)
    orders = next(piece.orders for piece in chunks if isinstance(piece, SortPiece))
    order = next((each for each in orders if each.name == turn.order), orders[0])
    condition = "" if turn.nulls is None else dict(order.before if turn.backwards else order.after)[turn.nulls]
    keys = tuple(count + 1 + index for index in range(len(order.casts)) if turn.nulls is not None and index not in turn.nulls)
    params = (*(number for number in range(1, count + 1) if number not in omitted), *keys)
    numbers = {number: index for index, number in enumerate(params, start=1)}
    text, place = "", (0, 0)
    for piece in chunks:
        match piece:
            case str():
                text += renumbered(piece, numbers)
            case ClausePiece():
                text += renumbered(_clause(piece, omitted), numbers)
            case KeysPiece():
                text += keys_column(order)
            case SortPiece():
                text += order.backwards if turn.backwards else order.forwards
            case WherePiece(clause=clause):
                kept = _clause(clause, omitted)
                text += renumbered(kept, numbers)
                if condition:
                    text += clause.separator if kept else clause.opening
                    start = len(text)
                    text += renumbered(condition, numbers)
                    place = (start, len(text))
            case _:
                pass
    return WrittenPage(text, params, place)


def keys_column(order: PageOrder) -> str:
    """Return the text that adds the column of keys to the output columns. As JSON, times do not depend on settings."""
    return f", json_build_array({', '.join(order.keys)})::text"


def _clause(piece: ClausePiece, omitted: AbstractSet[int]) -> str:
    kept = [text for text, params in piece.parts if omitted.isdisjoint(params)]
    return piece.opening + piece.separator.join(kept) if kept else ""


def _top_words(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield the words outside of brackets and of CASE, in lower case, that are no part of a name or of IS DISTINCT FROM."""
    depth = cases = 0
    for index, token in enumerate(tokens):
        depth += _DEPTHS.get(token.text, 0)
        before = tokens[index - 1].text.lower() if index else ""
        if depth or token.kind is not Kind.WORD or before in {".", "as"}:
            continue
        word = token.text.lower()
        cases += {"case": 1, "end": -1}.get(word, 0)
        if not cases and not (word == "from" and before == "distinct"):
            yield index, word


def _items(tokens: Sequence[Token], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the items of a list that commas separate, each as its first token and the one after its last."""
    depth, start = 0, first
    for index in range(first, last):
        depth += _DEPTHS.get(tokens[index].text, 0)
        if depth == 0 and tokens[index].text == ",":
            yield start, index
            start = index + 1
    if start < last:
        yield start, last


def _sort_item(by: str, tokens: Sequence[Token]) -> SortItem:
    nulls = direction = ""
    if len(tokens) > 2 and tokens[-2].text.lower() == "nulls":  # noqa: PLR2004 - expression, NULLS, FIRST
        nulls, tokens = tokens[-1].text.upper(), tokens[:-2]
    using = next((index for index, name in _top_words(tokens) if name == "using" and index), None)
    if using is not None:
        direction, tokens = by[tokens[using].start : tokens[-1].end], tokens[:using]
    elif len(tokens) > 1 and tokens[-1].text.lower() in {"asc", "desc"}:
        direction, tokens = tokens[-1].text.upper(), tokens[:-1]
    return SortItem(by[tokens[0].start : tokens[-1].end], direction, nulls)
