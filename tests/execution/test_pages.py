"""Pages on a real server: every row once and in order, both ways, with cursors that are believed only where they belong."""

from __future__ import annotations

import asyncio
import random
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from .commands_project import Load
from .test_variants import rolled_back

_ORDERS = ("id", "numbers", "singles", "words", "moods", "times", "moments")
_THINGS = """
INSERT INTO things
SELECT n,
       (ARRAY[NULL, 'NaN', '0.10', '0.1', '-0', '9007199254740993.000000000000001', '9007199254740993', 'Infinity'])[1 + n % 8]::numeric,
       (ARRAY['NaN', '0', '-0', '1e-45', '0.1', '-Infinity', '16777217'])[1 + n % 7]::float4,
       (ARRAY[NULL, 'NaN', '0', '-0', '5e-324', '0.1', '0.30000000000000004', '0.3', '-Infinity'])[1 + n % 9]::float8,
       (ARRAY['', ' ', '%s {x} $1', E'a\\b"c''\n\t', 'é', '😀', 'e', E'\u0001', 'null'])[1 + n % 9],
       (ARRAY[NULL, 'null', '', 'x'])[1 + n % 4],
       (ARRAY['a', 'b ', ''])[1 + n % 3],
       (ARRAY['sad', 'happy'])[1 + n % 2]::mood,
       (ARRAY['infinity', '-infinity', '0044-03-15 BC', '2026-01-02', '12026-01-02'])[1 + n % 5]::date,
       (ARRAY['infinity', '0044-03-15 01:02:03.000001+00:53:28 BC',
              '2026-01-02 03:04:05.000001Z', '2026-01-02 03:04:05.000002Z'])[1 + n % 4]::timestamptz,
       (ARRAY[NULL, '2026-10-25 02:30:00', '-infinity', '2026-10-25 02:30:00.000001'])[1 + n % 4]::timestamp,
       (ARRAY['24:00', '23:59:59.999999', '00:00'])[1 + n % 3]::time,
       md5(n::text)::uuid,
       decode(md5((n / 3)::text), 'hex'),
       n % 3 = 0
FROM generate_series(1, 60) n
"""
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SETTINGS = (
    "SET LOCAL extra_float_digits = 0",
    "SET LOCAL extra_float_digits = 3",
    "SET LOCAL datestyle = 'German, DMY'",
    "SET LOCAL datestyle = 'SQL, MDY'",
    "SET LOCAL timezone = 'Asia/Kathmandu'",
    "SET LOCAL timezone = 'America/New_York'",
    "SET LOCAL bytea_output = 'escape'",
)


@pytest.fixture
def pages(load: Load) -> Iterator[Any]:
    yield load("pages")
    load("").sign_cursors()


@pytest.fixture
def things(load: Load, conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database with many things that are nearly alike."""
    load("").register(conn)
    conn.execute(_THINGS.encode())
    return conn


def refused(load: Load, words: str) -> Any:
    """Expects the error of a cursor."""
    return pytest.raises(load("").CursorError, match=f"^query PageThings: {re.escape(words)}$")


@pytest.mark.parametrize("order", _ORDERS)
def test_walking_over_pages_finds_every_row_in_order_whatever_the_session_has_set(
    pages: Any, things: psycopg.Connection[Any], order: str, load: Load
) -> None:
    chance = random.Random(order)  # noqa: S311 - no secret
    for given in ({}, {"mood": load("enums").Mood.SAD}, {"is_new": False, "mood": load("enums").Mood.HAPPY}):
        rows = [row.id for row in pages.page_things(things, order=order, page_size=100, **given).rows]
        assert len(rows) >= 20
        for backwards in (False, True):
            cursor = "last" if backwards else None
            found: list[int] = []
            for _ in range(100):
                things.execute(chance.choice(_SETTINGS))
                page = pages.page_things(things, order=order, page_size=chance.randint(1, 9), cursor=cursor, **given)
                found = [row.id for row in page.rows] + found if backwards else found + [row.id for row in page.rows]
                cursor = page.previous if backwards else page.next
                if cursor is None:
                    break
            assert found == rows


def test_a_page_knows_whether_there_are_more_on_either_side(pages: Any, things: psycopg.Connection[Any]) -> None:
    things.execute("DELETE FROM things WHERE id > 5")

    def page(cursor: str | None, size: int = 2) -> Any:
        return pages.page_things(things, page_size=size, cursor=cursor)

    first = page(None)
    second, all_of_them, last = page(first.next), page(None, 5), page("last")
    third = page(second.next)
    assert [[row.id for row in each.rows] for each in (first, second, third, last)] == [[1, 2], [3, 4], [5], [4, 5]]
    assert (first.previous, third.next, last.next, all_of_them.next, all_of_them.previous) == (None,) * 5
    assert page(second.previous) == first
    assert page(third.previous) == page(first.next)
    assert page(last.previous, 9).rows[-1].id == 3
    assert page("first") == first


def test_a_page_of_rows_that_were_deleted_leads_back_to_those_that_remain(pages: Any, things: psycopg.Connection[Any]) -> None:
    first = pages.page_things(things, page_size=2)
    things.execute("DELETE FROM things WHERE id > 2")
    gone = pages.page_things(things, page_size=2, cursor=first.next)
    assert (gone.rows, gone.next) == ([], None)
    assert pages.page_things(things, page_size=2, cursor=gone.previous).rows == first.rows
    last = pages.page_things(things, page_size=1, cursor="last")
    things.execute("DELETE FROM things WHERE id < 2")
    gone = pages.page_things(things, page_size=2, cursor=last.previous)
    assert (gone.rows, gone.previous) == ([], None)
    assert [row.id for row in pages.page_things(things, page_size=2, cursor=gone.next).rows] == [2]
    things.execute("DELETE FROM things")
    for cursor in (None, "last"):
        empty = pages.page_things(things, page_size=2, cursor=cursor)
        assert (empty.rows, empty.next, empty.previous) == ([], None, None)


def test_rows_that_come_and_go_neither_repeat_nor_hide_the_others(pages: Any, things: psycopg.Connection[Any]) -> None:
    first = pages.page_things(things, page_size=3, order="id")
    things.execute("DELETE FROM things WHERE id IN (2, 3)")
    things.execute(
        "INSERT INTO things SELECT 0, number, single, double, word, short, padded, mood, day, at, local, clock,"
        " gen_random_uuid(), raw, is_new FROM things WHERE id = 9"
    )
    assert [row.id for row in pages.page_things(things, page_size=2, cursor=first.next).rows] == [4, 5]


def test_whole_rows_and_single_values_come_in_pages(pages: Any, load: Load, conn: psycopg.Connection[Any]) -> None:
    load("").register(conn)
    conn.execute(
        "INSERT INTO users (id, name, nick, mood, size) VALUES"
        " (1, 'Ada', 'x', 'happy', 1), (2, 'bob', 'x', 'sad', 9), (3, 'Cy', NULL, 'sad', 5)"
    )
    page = pages.page_users(conn, low=2, high=8, page_size=1)
    assert [type(row).__name__ for row in page.rows] == ["User"]
    assert (page.rows[0].name, page.rows[0].mood) == ("bob", load("enums").Mood.SAD)
    assert [row.id for row in pages.page_users(conn, low=2, high=8, page_size=5, cursor=page.next).rows] == [1]
    assert pages.page_names(conn, rows=9).next is None
    assert pages.page_names(conn, rows=2, self="x").rows == ["bob", "Ada"]


@pytest.mark.parametrize("size", [2**31 - 1, 2**63 - 1])
def test_a_page_is_not_longer_than_a_parameter_can_say(pages: Any, conn: psycopg.Connection[Any], size: int) -> None:
    with pytest.raises(ValueError, match=rf"^query PageThings: page_size is {size}, but at most 2147483646$"):
        pages.page_things(conn, page_size=size)
    assert pages.page_things(conn, page_size=2**31 - 2).rows == []


@pytest.mark.parametrize("size", [0, -1])
def test_a_page_has_at_least_one_row(pages: Any, conn: psycopg.Connection[Any], size: int) -> None:
    with pytest.raises(ValueError, match=rf"^query PageThings: page_size is {size}, but at least 1$"):
        pages.page_things(conn, page_size=size)


def test_a_cursor_that_does_not_belong_is_refused_before_anything_is_sent(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    cursor = pages.page_things(things, page_size=3, order="numbers").next
    things.execute("SAVEPOINT before")
    with refused(load, "the cursor is of the order numbers"):
        pages.page_things(things, page_size=3, cursor=cursor)
    with pytest.raises(load("").CursorError, match=r"^query PageNames: the cursor is not of this query$"):
        pages.page_names(things, rows=3, cursor=cursor)
    with refused(load, "the cursor is of another version"):
        pages.page_things(things, page_size=3, cursor="2" + cursor[1:], order="numbers")
    for damaged in (
        "",
        "1",
        "x",
        cursor[:-4],
        cursor[:9],
        cursor[1:],
        cursor + "A",
        cursor.swapcase(),
        "é",
        cursor + "\n",
        "1' OR true --",
    ):
        with pytest.raises(load("").CursorError, match="damaged"):
            pages.page_things(things, page_size=3, cursor=damaged, order="numbers")
    with pytest.raises(ValueError, match=r"^query PageThings: there is no order 'x', only id, numbers,"):
        pages.page_things(things, page_size=3, order="x", cursor=cursor)


def test_every_changed_byte_of_a_cursor_is_noticed(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    cursor = pages.page_things(things, page_size=3).next
    raw = urlsafe_b64decode(cursor[1:] + "==")
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1
        with pytest.raises(load("").CursorError):
            pages.page_things(things, page_size=3, cursor="1" + urlsafe_b64encode(bytes(changed)).decode().rstrip("="))


def test_signed_cursors_are_those_of_the_keys(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    package = load("")
    old, new = b"old" * 8, b"new" * 8
    unsigned = pages.page_things(things, page_size=3).next
    package.sign_cursors(old)
    signed = pages.page_things(things, page_size=3).next
    assert signed != unsigned
    with refused(load, "the cursor is not signed"):
        pages.page_things(things, page_size=3, cursor=unsigned)
    package.sign_cursors(new, old)
    page = pages.page_things(things, page_size=3, cursor=signed)
    assert [row.id for row in page.rows] == [4, 5, 6]
    package.sign_cursors(new)
    with refused(load, "the cursor is damaged or signed by another key"):
        pages.page_things(things, page_size=3, cursor=signed)
    assert pages.page_things(things, page_size=3, cursor=page.previous).rows[0].id == 1
    with pytest.raises(ValueError, match=r"^a key has at least 16 bytes$"):
        package.sign_cursors(new, b"")


def test_a_forged_cursor_is_refused_where_it_has_not_the_shape_of_a_row(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    internals = load("_pages")
    mark = pages.PAGE_THINGS._orders["numbers"].mark
    for text in (
        "",
        "[]",
        "[1, 2]",
        "{}",
        "5",
        "[1, 2, [3]]",
        "[1, 2, null]",
        '[1, "zz", 3]',
        '[1, "00", 3]',
        "[1, 2, 3, 4]",
        "[[], {}, 1]",
        '{"1": 2, "3": 4, "5": 6}',
        '"135"',
        '["1", "\\ud800", "3"]',
        '["1", "\\u0000", "3"]',
        "[" * 100_000,
    ):
        with refused(load, "the cursor is damaged"):
            pages.page_things(things, page_size=3, order="numbers", cursor=internals.write_cursor(f"{mark}+{text}"))


def test_a_forged_cursor_that_is_no_text_is_refused(pages: Any, conn: psycopg.Connection[Any], load: Load) -> None:
    internals = load("_pages")
    for body in (b"\xff\xfe", pages.PAGE_THINGS._orders["id"].mark.encode() + b"+[\xff]", b"1" * 2**20):
        forged = "1" + urlsafe_b64encode(internals.tag(None, body) + body).decode().rstrip("=")
        with refused(load, "the cursor is damaged"):
            pages.page_things(conn, page_size=3, cursor=forged)


@pytest.mark.parametrize("word", ["x" * 790_000, "\u0001" * 180_000], ids=["long", "escaped"])
def test_no_page_has_a_cursor_that_is_refused_for_its_length(pages: Any, things: psycopg.Connection[Any], load: Load, word: str) -> None:
    things.execute("DELETE FROM things WHERE id > 3")
    things.execute("UPDATE things SET word = %s", [word])
    with refused(load, "what rows are sorted by is too long for a cursor"):
        pages.page_things(things, page_size=2, order="words")
    assert len(pages.page_things(things, page_size=3, order="words").rows) == 3


def test_a_cursor_has_one_text(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    found = {pages.page_things(things, page_size=size, order=order).next for size in range(1, 9) for order in _ORDERS}
    unused = 0
    for cursor in found:
        order = next(name for name in _ORDERS if cursor in {pages.page_things(things, page_size=n, order=name).next for n in range(1, 9)})
        last = _ALPHABET.index(cursor[-1])
        bits = {0: 0, 2: 4, 3: 2}[(len(cursor) - 1) % 4]
        others = [cursor[:-1] + _ALPHABET[last ^ bit] for bit in range(1, 1 << bits)]
        unused += len(others)
        for other in (*others, cursor + "=", cursor + "=="):
            with refused(load, "the cursor is damaged"):
                pages.page_things(things, page_size=3, order=order, cursor=other)
    assert unused


def test_a_cursor_without_a_key_is_signed_by_no_key(pages: Any, things: psycopg.Connection[Any], load: Load) -> None:
    unsigned = pages.page_things(things, page_size=3).next
    with pytest.raises(ValueError, match=r"^a key of zeros is no secret$"):
        load("").sign_cursors(bytes(16))
    load("_pages").signing[:] = [bytes(16)]
    with refused(load, "the cursor is not signed"):
        pages.page_things(things, page_size=3, cursor=unsigned)


def test_a_cursor_of_another_package_is_refused_though_the_keys_are_the_same(
    pages: Any, things: psycopg.Connection[Any], load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("").sign_cursors(b"key" * 8)
    internals = load("_pages")
    with monkeypatch.context() as patch:
        patch.setattr(internals, "PACKAGE", b"other:")
        cursor = pages.page_things(things, page_size=3).next
    with refused(load, "the cursor is damaged or signed by another key"):
        pages.page_things(things, page_size=3, cursor=cursor)


def test_values_of_cursors_are_parameters(pages: Any, things: psycopg.Connection[Any]) -> None:
    things.prepare_threshold = 0
    cursor = None
    for _ in range(4):
        cursor = pages.page_things(things, page_size=7, order="words", cursor=cursor).next
    rows = things.execute(
        "SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT id, name, json%' ORDER BY 1"
    ).fetchall()
    assert rows
    assert not any("{" in statement or "😀" in statement for (statement,) in rows)


def test_async_functions_have_the_same_pages(load: Load, database: str) -> None:
    pages = load("aio.pages")

    async def calls(conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.execute(_THINGS.encode())
        page = await pages.page_things(conn, page_size=4, order="times")
        after = await pages.page_things(conn, page_size=4, order="times", cursor=page.next)
        assert await pages.page_things(conn, page_size=4, order="times", cursor=after.previous) == page

    asyncio.run(rolled_back(database, calls))
