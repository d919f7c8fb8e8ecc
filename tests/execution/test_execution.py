"""What the annotations promise, on real rows: from SQL text through sqlc and the proofs to values in Python."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from .commands_project import Load, prepare_at_once

Conn = psycopg.Connection[Any]


@pytest.fixture
def queries(load: Load) -> Any:
    return load("queries")


@pytest.fixture
def users(queries: Any, load: Load, conn: Conn) -> list[Any]:
    """Two users, of whom the second has NULL wherever the schema allows it."""
    load("").register(conn)
    mood = load("enums").Mood
    full: dict[str, Any] = {
        "nick": "al",
        "mood": mood.HAPPY,
        "moods": [mood.SAD, mood.HAPPY],
        "size": 3,
        "tags": ["a", "b"],
        "short": "s",
        "data": {"k": [1]},
    }
    bare: dict[str, Any] = {"nick": None, "mood": mood.SAD, "moods": [], "size": 0, "tags": [], "short": None, "data": None}
    return [queries.create_user(conn, id=1, name="Ada", **full), queries.create_user(conn, id=2, name="Bob", **bare)]


def test_a_row_comes_back_as_it_was_written(queries: Any, users: list[Any], conn: Conn) -> None:
    assert [queries.get_user(conn, id=user.id) for user in users] == users


def test_enums_are_members_in_arrays_too(load: Load, users: list[Any]) -> None:
    mood = load("enums").Mood
    assert (users[0].mood, users[0].moods) == (mood.HAPPY, [mood.SAD, mood.HAPPY])
    assert all(type(member) is mood for member in users[0].moods)


def test_one_is_none_where_there_is_no_row(queries: Any, conn: Conn) -> None:
    assert queries.get_user(conn, id=99) is None


def test_exactly_one_is_the_value_itself(queries: Any, users: list[Any], conn: Conn) -> None:
    assert queries.count_users(conn) == len(users)


def test_an_aggregate_over_nothing_is_none(queries: Any, conn: Conn) -> None:
    assert queries.largest_order(conn) is None


def test_an_embedded_row_is_none_exactly_where_the_join_found_nothing(queries: Any, users: list[Any], conn: Conn) -> None:
    queries.create_order(conn, id=1, user_id=2, total=Decimal("1.50"))
    queries.create_order(conn, id=2, user_id=None, total=Decimal(2))
    first, second = queries.orders_with_users(conn)
    assert (first.orders.total, first.buyer) == (Decimal("1.50"), users[1])
    assert (second.orders.user_id, second.buyer) == (None, None)


@pytest.mark.parametrize(
    ("size", "nick", "found"), [(None, None, [1, 2]), (1, None, [1]), (None, "al", [1]), (30_000, None, []), (2, "al", [1])]
)
def test_an_optional_parameter_may_be_none(
    queries: Any, users: list[Any], conn: Conn, size: int | None, nick: str | None, found: list[int]
) -> None:
    assert queries.filter_users(conn, size=size, nick=nick) == found


@pytest.mark.usefixtures("users")
def test_empty_lists_need_no_type(queries: Any, conn: Conn) -> None:
    assert queries.users_tagged(conn, tags=[]) == []
    assert queries.users_tagged(conn, tags=["b", "z"]) == [1]
    assert queries.users_in_mood(conn, wanted=[]) == []
    assert queries.delete_users(conn, ids=[]) == 0


@pytest.mark.usefixtures("users")
def test_an_int_may_be_sent_in_any_size_to_a_smallint(queries: Any, conn: Conn) -> None:
    conn.prepare_threshold = 0
    assert [queries.filter_users(conn, size=size, nick=None) for size in (1, 300, 30_000, None)] == [[1], [], [], [1, 2]]


def test_percent_signs_and_dollar_signs_in_literals_stay(queries: Any, conn: Conn) -> None:
    row = queries.percent(conn, value=7)
    assert (row.text, row.value) == ("100 % of $1 and %s", 7)


@pytest.mark.usefixtures("users")
def test_a_query_called_as_a_keyword_works(queries: Any, conn: Conn) -> None:
    assert queries.in_(conn, conn=1) == "Ada"


@pytest.mark.usefixtures("users")
def test_execresult_is_the_cursor_after_execution(queries: Any, conn: Conn) -> None:
    cursor = queries.touch(conn)
    assert (cursor.rowcount, sorted(cursor.fetchall())) == (2, [(1, 4), (2, 1)])


@pytest.mark.usefixtures("users")
def test_the_connections_row_factory_does_not_matter(queries: Any, conn: Conn) -> None:
    conn.row_factory = dict_row
    assert queries.get_user(conn, id=1).name == "Ada"
    assert queries.user_name(conn, id=1) == "Ada"


@pytest.mark.usefixtures("users")
def test_null_elements_are_none(queries: Any, conn: Conn) -> None:
    assert [(row.nicks, row.joined) for row in queries.nicks_by_mood(conn)] == [([None], None), (["al"], "al")]


def test_a_domain_refuses_what_its_check_refuses(queries: Any, load: Load, conn: Conn) -> None:
    mood = load("enums").Mood
    with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
        queries.create_user(conn, id=3, name="C", nick=None, mood=mood.SAD, moods=[], size=0, tags=[], short="much too long", data=None)


async def test_async_functions_return_the_same(load: Load, database: str, calls: str) -> None:
    aio, queries = load("aio"), load("aio.queries")
    mood = load("enums").Mood
    async with await psycopg.AsyncConnection.connect(database) as conn, conn.transaction(force_rollback=True):
        if calls == "direct":
            prepare_at_once(conn)
        await aio.register(conn)
        user = await queries.create_user(
            conn, id=1, name="Ada", nick=None, mood=mood.SAD, moods=[mood.HAPPY], size=1, tags=[], short=None, data=[1, "x", None]
        )
        assert await queries.get_user(conn, id=1) == user
        assert (user.moods, user.data) == ([mood.HAPPY], [1, "x", None])
        assert await queries.count_users(conn) == 1
        assert await queries.filter_users(conn, size=None, nick=None) == [1]


@pytest.mark.usefixtures("users")
def test_functions_work_inside_a_pipeline(queries: Any, conn: Conn) -> None:
    with conn.pipeline():
        assert queries.get_user(conn, id=1).name == "Ada"
        assert queries.count_users(conn) == 2
        queries.create_order(conn, id=1, user_id=2, total=Decimal(1))
    assert queries.largest_order(conn) == Decimal(1)
