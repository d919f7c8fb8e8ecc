"""Queries with variants on a real server: what is left out is not sent, and what is sent is a statement of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import combinations
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from .commands_project import Load


@pytest.fixture
def variants(load: Load) -> Any:
    return load("variants")


@pytest.fixture
def unset(load: Load) -> Any:
    return load("").UNSET


@pytest.fixture
def moods(load: Load) -> Any:
    return load("enums").Mood


@pytest.fixture
def find(load: Load, variants: Any, conn: psycopg.Connection[Any]) -> Callable[..., list[int]]:
    """Finds users among four."""
    load("").register(conn)
    conn.execute(
        "INSERT INTO users (id, name, nick, mood, size) VALUES"
        " (1, 'Ada', NULL, 'happy', 10), (2, 'Bob', 'bo', 'sad', 20), (3, 'Ada B', 'bo', 'sad', 30), (4, 'Cy', NULL, 'sad', 40)"
    )

    def found(**given: Any) -> list[int]:
        rows: list[int] = variants.find_users(conn, **{"max_rows": 9, **given})
        return rows

    return found


def test_a_filter_applies_only_if_it_is_passed(find: Callable[..., list[int]], moods: Any, unset: Any) -> None:
    assert find() == [1, 2, 3, 4]
    assert find(name="ada%") == [1, 3]
    assert find(mood=moods.SAD, ids=[1, 2, 3]) == [2, 3]
    assert find(low=20, high=30, words="ada") == [3]
    assert find(name=unset, mood=moods.HAPPY, max_rows=1) == [1]


def test_none_is_a_value_and_not_left_out(find: Callable[..., list[int]]) -> None:
    assert (find(nick=None), find(nick="bo"), find(ids=[])) == ([1, 4], [2, 3], [])


def test_every_combination_of_filters_finds_what_all_of_them_find(find: Callable[..., list[int]], moods: Any) -> None:
    users = {1: ("Ada", None, "happy", 10), 2: ("Bob", "bo", "sad", 20), 3: ("Ada B", "bo", "sad", 30), 4: ("Cy", None, "sad", 40)}
    filters: dict[str, tuple[dict[str, Any], Callable[[tuple[Any, ...]], bool]]] = {
        "name": ({"name": "%b%"}, lambda user: "b" in user[0].lower()),
        "nick": ({"nick": "bo"}, lambda user: user[1] == "bo"),
        "mood": ({"mood": moods.SAD}, lambda user: user[2] == "sad"),
        "size": ({"low": 15, "high": 25}, lambda user: 15 <= user[3] <= 25),
    }
    for count in range(len(filters) + 1):
        for some in combinations(filters.values(), count):
            given = {name: value for values, _ in some for name, value in values.items()}
            assert find(**given) == [number for number, user in users.items() if all(holds(user) for _, holds in some)], given


def test_parameters_of_one_condition_are_passed_together(find: Callable[..., list[int]], conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(ValueError, match=r"^query FindUsers: low needs high as well$"):
        find(low=1)
    assert conn.info.transaction_status is TransactionStatus.INTRANS


def test_an_order_is_chosen_by_its_name(find: Callable[..., list[int]]) -> None:
    assert (find(order="name"), find(order="id", name="%b%")) == ([4, 2, 3, 1], [2, 3])
    with pytest.raises(ValueError, match=r"^query FindUsers: there is no order 'size', only id, name$"):
        find(order="size")


def test_each_variant_in_use_is_a_prepared_statement_without_what_was_left_out(
    find: Callable[..., list[int]], conn: psycopg.Connection[Any], moods: Any
) -> None:
    conn.prepare_threshold = 0
    for _ in range(3):
        find()
        find(mood=moods.SAD, order="name")
    rows = conn.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM users%' ORDER BY 1").fetchall()
    assert [statement for (statement,) in rows] == [
        "SELECT id FROM users\nORDER BY id\nLIMIT $1::int8",
        "SELECT id FROM users\nWHERE mood = $1::mood\nORDER BY name DESC, id\nLIMIT $2::int8",
    ]


def test_the_server_keeps_no_more_statements_than_psycopg_allows(variants: Any, database: str) -> None:
    values: dict[str, Any] = {"name": "a", "nick": "b", "ids": [1], "words": "c"}
    with psycopg.connect(database, prepare_threshold=0) as conn:
        conn.prepared_max = 3
        for count in range(len(values) + 1):
            for names in combinations(values, count):
                for _ in range(2):
                    variants.find_users(conn, max_rows=1, **{name: values[name] for name in names})
        kept = conn.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT id%'").fetchall()
    assert len(kept) == 3


def test_a_patch_sets_the_given_columns_alone(
    find: Callable[..., list[int]], variants: Any, conn: psycopg.Connection[Any], moods: Any
) -> None:
    assert find(ids=[2]) == [2]
    user = variants.patch_user(conn, id=2, nick=None)
    assert (user.name, user.nick, user.size, user.data) == ("Bob", None, 21, None)
    user = variants.patch_user(conn, id=2, name="Bo", data={"a": [1]}, moods=[moods.SAD])
    assert (user.name, user.nick, user.size, user.data, user.moods) == ("Bo", None, 22, {"a": [1]}, [moods.SAD])
    assert variants.patch_user(conn, id=2, data=None).data is None
    assert variants.patch_user(conn, id=99, name="x") is None


def test_an_empty_patch_is_refused_before_it_is_sent(variants: Any, conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(ValueError, match=r"^query PatchUser: nothing to set: pass at least one of name, nick, data, moods$"):
        variants.patch_user(conn, id=2)


def test_an_empty_patch_returns_the_row_unchanged_if_the_query_says_so(
    find: Callable[..., list[int]], variants: Any, conn: psycopg.Connection[Any], moods: Any
) -> None:
    assert find(ids=[2]) == [2]
    conn.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''written''; END'")
    conn.execute("CREATE TRIGGER no_writes BEFORE UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION refuse()")
    given = {"id": 2, "least": 5, "more": 100}
    users = [variants.touch_user(conn, **given) for _ in range(7)]
    assert {(user.id, user.name, user.nick, user.size, user.more) for user in users} == {(2, "Bob", "bo", 20, 120)}
    assert variants.touch_user(conn, **given, mood=moods.SAD) == users[0]
    assert variants.touch_user(conn, **given, mood=moods.HAPPY) is None
    assert variants.touch_user(conn, **{**given, "least": 50}) is None
    conn.execute("DROP TRIGGER no_writes ON users")
    user = variants.touch_user(conn, **given, nick=None)
    assert (user.name, user.nick, user.size, user.more) == ("Bob", None, 21, 121)


def test_a_patch_with_named_parameters_makes_the_other_assignments_always(
    find: Callable[..., list[int]], variants: Any, conn: psycopg.Connection[Any], moods: Any
) -> None:
    assert find()
    assert variants.rename_users(conn, id=1, name="x", nick="y") == 3
    assert variants.rename_users(conn, id=1, name="z", nick=None, mood=moods.HAPPY) == 0
    assert conn.execute("SELECT DISTINCT name, nick FROM users WHERE id > 1").fetchall() == [("X", "y")]


def test_streams_single_values_and_cursors_have_variants(
    find: Callable[..., list[int]], variants: Any, conn: psycopg.Connection[Any], moods: Any
) -> None:
    assert find()
    conn.execute("INSERT INTO orders VALUES (1, 1, 5), (2, 2, 7)")
    assert [row.id for row in variants.stream_users(conn, mood=moods.SAD)] == [2, 3, 4]
    assert len(list(variants.stream_users(conn))) == 4
    assert [variants.total_of(conn, **given) for given in ({}, {"user_id": 2}, {"user_id": None})] == [Decimal(12), Decimal(7), Decimal(0)]
    assert variants.cursor_of_users(conn, sql="Bob").fetchall() == [(2,)]
    assert len(variants.cursor_of_users(conn).fetchall()) == 4


def test_the_number_of_rows_is_that_of_the_filters_whatever_the_limit(
    find: Callable[..., list[int]], variants: Any, conn: psycopg.Connection[Any], moods: Any
) -> None:
    given: list[dict[str, Any]] = [{}, {"name": "ada%"}, {"mood": moods.SAD, "ids": [1, 2, 3]}, {"nick": None}, {"low": 90, "high": 99}]
    for filters in given:
        rows = find(**filters)
        assert (variants.count_find_users(conn, **filters), variants.has_users(conn, **filters)) == (len(rows), bool(rows))
    assert (len(find(max_rows=1)), variants.count_find_users(conn)) == (1, 4)
    with pytest.raises(ValueError, match=r"^query CountFindUsers: low needs high as well$"):
        variants.count_find_users(conn, low=1)


def test_async_functions_have_the_same_variants(load: Load, database: str, unset: Any) -> None:
    variants = load("aio.variants")

    async def calls(conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.execute("INSERT INTO users (id, name, mood) VALUES (1, 'Ada', 'happy'), (2, 'Bob', 'sad')")
        assert await variants.find_users(conn, max_rows=5, order="name") == [2, 1]
        assert await variants.find_users(conn, name="a%", nick=unset, max_rows=5) == [1]
        assert await variants.rename_users(conn, id=1, name="Eve", nick=None) == 1
        assert [row.name async for row in variants.stream_users(conn)] == ["Ada", "EVE"]
        assert (await variants.count_find_users(conn, name="a%"), await variants.has_users(conn, name="x%")) == (1, False)

    asyncio.run(rolled_back(database, calls))


async def rolled_back(database: str, calls: Callable[[psycopg.AsyncConnection[Any]], Coroutine[Any, Any, None]]) -> None:
    """Make calls on a connection whose changes are rolled back."""
    async with await psycopg.AsyncConnection.connect(database) as conn, conn.transaction(force_rollback=True):
        await calls(conn)
