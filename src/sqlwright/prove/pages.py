"""Pages of a query: a total order for each, and PostgreSQL's word that a page's statement is the query with a condition on the order.

The statement of a page returns rows of the query only, since a condition at the top of the WHERE of a plain SELECT takes rows away and does
nothing else; so the proof of the query holds for it (docs/proofs.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.prove.asking.describe import Description, Refused, TypeNames, describe
from sqlwright.prove.asking.planning import plan
from sqlwright.prove.pageorders import SPELLED_OUT, Paging, SortedOrder, prove_order
from sqlwright.prove.shape.conditions import conditions_between, meant, read
from sqlwright.prove.shape.likeness import Shape, without_order
from sqlwright.prove.shape.paging import keyed_by, refusal_of, without_keys
from sqlwright.prove.statement import StatementProof, why_total
from sqlwright.prove.tree.nodetree import UNREADABLE, Node
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.keyset import later
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.pages import Page, PagePiece, Turn, WrittenPage, find_places, page_pieces, page_where, write_page
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import Cut, find_ordering, write_variant

DEFAULT_ORDER = "default"
"""The name of the order of a query without `@order`."""

_PLAIN = "write the query as `SELECT … FROM (…) AS name ORDER BY … LIMIT @page_size`, with the rest in the brackets."


@dataclass(frozen=True, slots=True)
class _Base:
    """A variant of the query, which the statements of its pages are compared with: without its order, and that."""

    described: Description
    rest: object
    sort: list[tuple[str, ...]]


def prove_pages(
    asked: VariedQuery, types: TypeNames, cut: Cut, orders: tuple[ir.Order, ...], proof: StatementProof, *, every: bool = False
) -> Page:
    """Return where the pages of a query differ, after PostgreSQL has read their statements as such.

    `cut`, `orders` and `proof` are those of its variants. Read are the pages of the variant with all parts and of the least one; with
    `every`, of all of them.

    Raises:
        CompileError: there are no such pages; it says why.
    """
    try:
        paging = _paging(asked, types, cut, proof)
        page, found = _page(paging, orders)
        pieces = page_pieces(asked.statement.sql, cut, page)
        for omitted in _omissions(cut, every=every):
            for each in found:
                _verify(paging, pieces, each, omitted)
    except UNREADABLE as problem:
        raise asked.error_at_line(
            Code.REFUSED_PAGE,
            f"its pages cannot be verified, since its query tree holds something that is not known here: {problem}",
            asked.query.annotations.page,
            _PLAIN,
        ) from problem
    return page


def _paging(asked: VariedQuery, types: TypeNames, cut: Cut, proof: StatementProof) -> Paging:
    sql, line = asked.statement.sql, asked.query.annotations.page
    tree = asked.tree(sql, asked.statement.param_types)
    refusal = refusal_of(tree)
    if refusal is not None:
        if refusal.clause is not None:
            raise asked.error(Code.REFUSED_PAGE, refusal.problem, _clause(asked, refusal.clause), refusal.cure)
        raise asked.error_at_line(Code.REFUSED_PAGE, refusal.problem, line, refusal.cure)
    places, sort = find_places(sql), find_ordering(sql)
    if places is None or sort is None:
        raise asked.error_at_line(Code.REFUSED_PAGE, "@page on a statement that is not SELECT … FROM … ORDER BY …", line, _PLAIN)
    size = _size(tree)
    if size is None or sum(token.kind is Kind.PLACEHOLDER and placeholder_number(token) == size for token in significant(sql)) > 1:
        limit = _clause(asked, "limit") or _clause(asked, "fetch")
        found = "" if limit is None else " ".join(sql[limit:].rstrip("; \n").split())
        what = f"`{found}`" if found and "$" not in found else "a LIMIT that is computed"
        if size is not None:
            what = f"`{asked.name(size)}` in LIMIT and elsewhere"
        raise asked.error(
            Code.REFUSED_PAGE,
            f"@page with {what}, while the size of a page is a parameter by itself, which is used nowhere else",
            limit,
            "write `LIMIT @page_size`.",
        )
    if proof.params[size - 1].nullable:
        raise asked.error_at_line(
            Code.REFUSED_PAGE, f"the page size {asked.names({size})} may be NULL", line, f"write `LIMIT @{asked.name(size)}`."
        )
    return Paging(asked, types, tree, cut, proof, places, size, sort)


def _clause(asked: VariedQuery, word: str) -> int | None:
    """Return where the last clause of a statement with this word begins."""
    return next((token.start for token in reversed(significant(asked.statement.sql)) if token.text.lower() == word), None)


def _size(tree: Node) -> int | None:
    """Return the number of the parameter that a LIMIT is, with or without a cast."""
    limit = tree.optional("limitCount")
    while limit is not None and limit.tag == "FUNCEXPR":
        arguments = limit.nodes("args")
        limit = arguments[0] if len(arguments) == 1 else None
    return limit.number("paramid") if limit is not None and limit.tag == "PARAM" else None


def _page(paging: Paging, orders: tuple[ir.Order, ...]) -> tuple[Page, list[SortedOrder]]:
    """Return the page of a query, and its orders. All that is wrong with them is reported."""
    sql = paging.asked.statement.sql
    listed = paging.cut.ordering.orders if paging.cut.ordering else ((DEFAULT_ORDER, sql[slice(*paging.sort)]),)
    total = {order.name: order.total for order in orders}
    found: list[SortedOrder] = []
    problems: list[Diagnostic] = []
    for name, by in listed:
        try:
            why = total.get(name) or why_total(paging.asked.connection, paging.asked.facts, paging.switched(by))
            proven = prove_order(paging, name, by, total=bool(why))
            found.append(replace(proven, order=replace(proven.order, total=why)))
        except CompileError as error:
            problems += error.diagnostics
    if problems:
        raise CompileError(problems)
    change = paging.lasting.why_rows_change(paging.all_parts(listed[0][1]))
    if change is not None:
        raise paging.asked.error_at_line(Code.REFUSED_PAGE, f"@page, but {change[0]}", paging.asked.query.annotations.page, change[1])
    where = page_where(sql, paging.cut, paging.places)
    return Page(paging.size, paging.places.outputs[-1][1], where, paging.sort, tuple(each.order for each in found)), found


def _omissions(cut: Cut, *, every: bool) -> list[frozenset[int]]:
    groups = [frozenset(group) for group in cut.groups]
    chosen = [frozenset[int](), frozenset(cut.optional)]
    if every:
        chosen = [frozenset[int]().union(*some) for count in range(len(groups) + 1) for some in combinations(groups, count)]
    return list(dict.fromkeys(chosen))


def _turns(found: SortedOrder) -> Iterator[Turn]:
    """Yield every statement of a page in an order."""
    name = found.order.name
    for backwards, conditions in ((False, found.order.after), (True, found.order.before)):
        yield Turn(name, backwards)
        for nulls, _ in conditions:
            yield Turn(name, backwards, nulls)


def _verify(paging: Paging, pieces: tuple[PagePiece, ...], found: SortedOrder, omitted: frozenset[int]) -> None:
    """Have PostgreSQL read the statements of the pages in an order, and compare them with that of the variant."""
    asked = paging.asked
    count = len(asked.statement.param_types)
    order = found.order.name if paging.cut.ordering else ""
    variant = write_variant(asked.statement.sql, paging.cut, count, omitted, order)
    known = (*asked.statement.param_types, *found.order.casts)
    base: _Base | None = None
    for turn in _turns(found):
        page = write_page(pieces, count, turn, omitted)
        try:
            described = describe(asked.connection, page.sql, {})
            base = base or _Base(
                describe(asked.connection, variant.sql, {}),
                *without_order(asked.tree(variant.sql, [known[number - 1] for number in variant.params]), Shape()),
            )
            tree = asked.tree(page.sql, [known[number - 1] for number in page.params])
            plan(asked.connection, page.sql, len(page.params))
        except Refused as refused:
            problem, cure = f"PostgreSQL refuses the statement of a page: {refused.message}", refused.hint or SPELLED_OUT
            raise paging.refused(turn.order, problem, cure) from refused
        difference = _difference(paging, found, turn, page, described, tree, base)
        if difference:
            raise asked.error_at_line(
                Code.UNVERIFIED_VARIANT,
                f"PostgreSQL reads the statement of a page{f' in the order {order}' if order else ''} differently: {difference}",
                asked.query.annotations.page,
                SPELLED_OUT,
            )


def _difference(
    paging: Paging,
    found: SortedOrder,
    turn: Turn,
    page: WrittenPage,
    described: Description,
    tree: Node,
    base: _Base,
) -> str:
    """Return how the statement of a page differs from what is meant, in words; "" if it does not."""
    encoding = paging.asked.connection.info.encoding
    start, end = (len(page.sql[:offset].encode(encoding)) for offset in page.condition)
    params = base.described.params
    if described.columns[:-1] != base.described.columns or described.params[: len(params)] != params:
        return "its columns or parameters"
    if not keyed_by(tree, [column.expression for column in found.columns]):
        return "the column of its keys"
    rest, sort = without_order(without_keys(tree), Shape(spans=((start, end),)))
    if rest != base.rest:
        return "what is around the condition"
    wanted = base.sort
    if turn.backwards:
        opposite = [str(column.sorting.opposite) for column in found.columns]
        flip = {"true": "false", "false": "true"}
        wanted = [(e, eq, operator, flip[nulls]) for (e, eq, _, nulls), operator in zip(base.sort, opposite, strict=True)]
    if sort != wanted:
        return "its order"
    if turn.nulls is None:
        return ""
    keys = tuple(key.backwards for key in found.keys) if turn.backwards else found.keys
    condition = later(keys, set(turn.nulls))
    count = len(paging.asked.statement.param_types)
    numbers = {number - count - 1: index for index, number in enumerate(page.params, start=1) if number > count}
    meaning = None if condition is None else meant(condition, keys, found.columns, numbers)
    return "" if read(conditions_between(tree, start, end), found.columns) == meaning else "its condition"
