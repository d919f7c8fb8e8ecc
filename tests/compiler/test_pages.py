"""Pages as text: what their conditions accept, where statements are cut, and how orders are reversed."""

from __future__ import annotations

from functools import cmp_to_key, partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlwright.sql.keyset import PLAIN, Both, Compare, Condition, Either, Key, Null, later, patterns, written
from sqlwright.sql.pages import Page, PageOrder, Turn, find_places, page_pieces, page_where, sort_items, write_page
from sqlwright.sql.variants import Cut, cut_conditions, find_ordering

Row = tuple[int | None, ...]


def key(*, descending: bool = False, nulls_first: bool = False, nullable: bool = False, text: str = "a", cast: str = "int4") -> Key:
    return Key(text, cast, PLAIN, descending, nulls_first, nullable)


def compared(keys: tuple[Key, ...], left: Row, right: Row) -> int:
    """Compare two rows as PostgreSQL sorts them."""
    for found, a, b in zip(keys, left, right, strict=True):
        if a == b:
            continue
        if a is None or b is None:
            return -1 if (a is None) is found.nulls_first else 1
        return -1 if (a < b) is not found.descending else 1
    return 0


def holds(condition: Condition | None, keys: tuple[Key, ...], row: Row, values: Row) -> bool | None:
    """Evaluate a condition as SQL does, with None for NULL."""
    match condition:
        case None:
            return False
        case Null(key=index, present=present):
            return (row[index] is None) is not present
        case Both(left=left, right=right):
            found = (holds(left, keys, row, values), holds(right, keys, row, values))
            return False if False in found else None if None in found else True
        case Either(left=left, right=right):
            found = (holds(left, keys, row, values), holds(right, keys, row, values))
            return True if True in found else None if None in found else False
        case Compare(first=first, last=last, strict=strict):
            assert len({(each.descending, each.nullable) for each in keys[first:last]}) == 1
            ours, theirs = row[first:last], values[first:last]
            assert None not in theirs
            if None in ours:
                return None
            found_order = compared(keys[first:last], ours, theirs)
            return found_order > 0 or (found_order == 0 and not strict)


@given(st.lists(st.builds(key, descending=st.booleans(), nulls_first=st.booleans(), nullable=st.booleans()), min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
def test_a_condition_holds_for_exactly_the_rows_behind(found: list[Key]) -> None:
    keys = tuple(found)
    rows: list[Row] = list(product(*([None, 0, 1] if each.nullable else [0, 1] for each in keys)))
    rows.sort(key=cmp_to_key(partial(compared, keys)))
    seen = set[tuple[int, ...]]()
    for place, values in enumerate(rows):
        nulls = tuple(index for index, value in enumerate(values) if value is None)
        seen.add(nulls)
        after = later(keys, set(nulls))
        before = later(tuple(each.backwards for each in keys), set(nulls))
        assert [row for row in rows if holds(after, keys, row, values)] == rows[place + 1 :]
        assert [row for row in rows if holds(before, tuple(each.backwards for each in keys), row, values)] == rows[:place]
    assert seen == set(patterns(keys))


@pytest.mark.parametrize(
    ("keys", "nulls", "text"),
    [
        ((key(text="t.a"),), set[int](), "t.a > $3::int4"),
        ((key(text="a || b", descending=True),), set[int](), "(a || b) < $3::int4"),
        ((key(text="lower(a)"),), set[int](), "lower(a) > $3::int4"),
        ((key(text="f(a)(b)"),), set[int](), "(f(a)(b)) > $3::int4"),
        ((key(text="a"), key(text="b + 1", cast="int8")), set[int](), "(a, b + 1) > ($3::int4, $4::int8)"),
        ((key(text="a", descending=True), key(text="b")), set[int](), "a <= $3::int4 AND (a < $3::int4 OR b > $4::int4)"),
        ((key(text="a", nullable=True), key(text="b")), {0}, "a IS NULL AND b > $4::int4"),
        ((key(text="a", nullable=True, nulls_first=True), key(text="b")), {0}, "(a IS NOT NULL OR b > $4::int4)"),
        ((key(text="a"), key(text="b"), key(text="c", descending=True)), set[int](),
         "(a, b) >= ($3::int4, $4::int4) AND ((a, b) > ($3::int4, $4::int4) OR c < $5::int4)"),
    ],
)  # fmt: skip
def test_a_condition_is_written_so_that_an_index_serves_it(keys: tuple[Key, ...], nulls: set[int], text: str) -> None:
    condition = later(keys, nulls)
    assert condition
    assert written(condition, keys, 3) == text


@pytest.mark.parametrize(
    ("by", "backwards"),
    [
        ("a", "a DESC"),
        ("a ASC, b DESC", "a DESC, b"),
        ("a NULLS FIRST, b desc nulls last", "a DESC NULLS LAST, b NULLS FIRST"),
        ("f(a, b) USING OPERATOR(pg_catalog.<) NULLS LAST", "f(a, b) USING > NULLS FIRST"),
        ('"desc", a COLLATE "C" DESC', '"desc" DESC, a COLLATE "C"'),
        ("CASE WHEN a THEN 'using' END, 2", "CASE WHEN a THEN 'using' END DESC, 2 DESC"),
    ],
)
def test_an_order_is_reversed(by: str, backwards: str) -> None:
    assert ", ".join(item.backwards(">") for item in sort_items(by)) == backwards


def page(sql: str, optional: set[int], count: int, turn: Turn, *omitted: int) -> str:
    """The statement of a page in the order `a`."""
    cut, places, sort = Cut(cut_conditions(sql, optional)), find_places(sql), find_ordering(sql)
    assert places
    assert sort
    order = PageOrder("own", "", "a", "a DESC", ("a",), ("int4",), (((), f"a > ${count + 1}"),), (((), f"a < ${count + 1}"),))
    found = Page(count, places.outputs[-1][1], page_where(sql, cut, places), sort, (order,))
    return write_page(page_pieces(sql, cut, found), count, turn, set(omitted)).sql


_FROM = "SELECT a, x IS DISTINCT FROM y AS from, extract(day FROM z) -- FROM\nFROM t JOIN s ON true"
_SHOWN = "SELECT a, x IS DISTINCT FROM y AS from, extract(day FROM z), json_build_array(a)::text -- FROM\nFROM t JOIN s ON true"


@pytest.mark.parametrize(
    ("where", "after", "least"),
    [
        ("", "\nWHERE a > $2", "\nWHERE a > $2"),
        (" WHERE b OR c", " WHERE (b OR c) AND a > $2", " WHERE (b OR c) AND a > $2"),
        (" WHERE CASE b OR c WHEN 1 END", " WHERE CASE b OR c WHEN 1 END AND a > $2", " WHERE CASE b OR c WHEN 1 END AND a > $2"),
        (" WHERE b = $1", " WHERE b = $1 AND a > $3", " WHERE a > $2"),
        (" WHERE b = $1 AND c", " WHERE b = $1 AND c AND a > $3", " WHERE c AND a > $2"),
        ("\nWHERE (SELECT 1 WHERE x) > 1\n  AND c", "\nWHERE (SELECT 1 WHERE x) > 1\n  AND c\n  AND a > $2",
         "\nWHERE (SELECT 1 WHERE x) > 1\n  AND c\n  AND a > $2"),
    ],
)  # fmt: skip
def test_the_condition_of_a_page_joins_the_others(where: str, after: str, least: str) -> None:
    optional = {1} if "$1" in where else set[int]()
    count = 2 if optional else 1
    sql = f"{_FROM}{where}\nORDER BY a LIMIT ${count}"
    assert page(sql, optional, count, Turn(nulls=())) == f"{_SHOWN}{after}\nORDER BY a LIMIT ${count}"
    assert page(sql, optional, count, Turn(nulls=()), *optional) == f"{_SHOWN}{least}\nORDER BY a LIMIT $1"
    assert page(sql, optional, count, Turn(backwards=True)).endswith(f"\nORDER BY a DESC LIMIT ${count}")


@pytest.mark.parametrize("sql", ["TABLE t ORDER BY a", "VALUES (1) ORDER BY 1", "SELECT a FROM t", "SELECT 1 ORDER BY 1"])
def test_a_statement_without_the_places_of_a_page_has_none(sql: str) -> None:
    assert find_places(sql) is None
