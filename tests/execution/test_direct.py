"""Calls without a cursor do what a cursor does: transactions, errors, cancellation, and everything that a connection tells of."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import signal
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import errors
from psycopg.adapt import Dumper
from psycopg.pq import Format, TransactionStatus
from psycopg.types.json import Jsonb, JsonDumper, JsonLoader, set_json_dumps, set_json_loads
from psycopg.types.string import TextBinaryLoader

from tests.support.trace import Trace

from .commands_project import Load

ECHO = "SELECT $1::int8, $2::text"
SLEEP = "SELECT pg_sleep($1::float8)"
SHAPE = "SELECT extra FROM shapes"
BYTES = psycopg.adapters.types["bytea"]
IDLE, INTRANS, INERROR = TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR

AsyncConn = psycopg.AsyncConnection[Any]


@pytest.fixture(params=["direct"])
def calls(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Calls:
    """The functions of the module; rows in a list, as query functions return them."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def fetch_all(self, *args: Any, **kwargs: Any) -> list[Any]:
        return list(self._module.fetch_all(*args, **kwargs))

    def rows(self, *args: Any, **kwargs: Any) -> Iterable[Any]:
        """The rows, not loaded yet."""
        found: Iterable[Any] = self._module.fetch_all(*args, **kwargs)
        return found

    async def afetch_all(self, *args: Any, **kwargs: Any) -> list[Any]:
        return list(await self._module.afetch_all(*args, **kwargs))


@pytest.fixture
def direct(load: Load) -> Any:
    return Calls(load("_direct"))


@pytest.fixture
def admin(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Another connection, and a table; whoever reads it must be closed before."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS shapes; CREATE TABLE shapes (extra int4); INSERT INTO shapes VALUES (7)")
        yield conn
        conn.execute("DROP TABLE shapes")


@pytest.fixture(params=[True, False], ids=["autocommit", "transaction"])
def conn(request: pytest.FixtureRequest, database: str, admin: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=request.param, prepare_threshold=0) as conn:
        yield conn


# --- What is sent ------------------------------------------------------------------------------------------------------


def test_a_prepared_statement_is_bound_and_executed_in_one_round_trip_with_its_begin(
    direct: Any, conn: psycopg.Connection[Any], tmp_path: Any
) -> None:
    assert direct.fetch_all(conn, ECHO, (1, "a")) == [(1, "a")]
    conn.commit()
    with Trace(conn, tmp_path) as trace:
        assert direct.fetch_all(conn, ECHO, (2, "b")) == [(2, "b")]
    assert trace.round_trips() == 1
    begin = [] if conn.autocommit else ["Parse", "Bind", "Describe", "Execute"]
    assert trace.sent() == [*begin, "Bind", "Describe", "Execute", "Sync"]
    assert conn.info.transaction_status is (IDLE if conn.autocommit else INTRANS)


def test_begin_has_the_properties_of_the_connection(direct: Any, database: str) -> None:
    query = (
        "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
        " current_setting('transaction_deferrable')"
    )
    with psycopg.connect(database, prepare_threshold=0) as conn:
        assert direct.fetch_all(conn, query) == direct.fetch_all(conn, query)
        conn.rollback()
        conn.isolation_level, conn.read_only, conn.deferrable = psycopg.IsolationLevel.SERIALIZABLE, True, True
        for _ in range(2):
            assert direct.fetch_one(conn, query) == (("serializable", "on", "on"), 1)
            conn.commit()


def test_nothing_is_prepared_where_the_connection_prepares_nothing(direct: Any, conn: psycopg.Connection[Any], tmp_path: Any) -> None:
    assert direct.fetch_all(conn, ECHO, (1, "a")) == [(1, "a")]
    conn.prepare_threshold = None
    with Trace(conn, tmp_path) as trace:
        assert direct.fetch_all(conn, ECHO, (2, "b")) == [(2, "b")]
    assert trace.sent()[-5:] == ["Parse", "Bind", "Describe", "Execute", "Sync"]


def test_prepared_statements_are_no_more_than_the_connection_allows(direct: Any, conn: psycopg.Connection[Any]) -> None:
    conn.prepared_max = 3
    for number in range(20):
        for _ in range(2):
            assert direct.fetch_all(conn, f"SELECT {number}") == [(number,)]
    ((count,),) = conn.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False)
    assert count <= 3


def test_a_statement_in_use_is_not_dropped_for_others(direct: Any, conn: psycopg.Connection[Any], tmp_path: Any) -> None:
    conn.prepared_max = 3
    for number in range(20):
        direct.fetch_all(conn, ECHO, (number, ""))
        conn.execute("SELECT 1" + " " * number)
    with Trace(conn, tmp_path) as trace:
        direct.fetch_all(conn, ECHO, (1, ""))
    assert "Parse" not in trace.sent()


# --- What comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("setting", ["TimeZone", "DateStyle"])
def test_values_are_loaded_by_the_settings_of_the_session(direct: Any, conn: psycopg.Connection[Any], setting: str, binary: bool) -> None:
    query = "SELECT '2026-01-02 03:04+00'::timestamptz, '2026-01-02'::date, set_config($1, $2, false)"
    for value in {"TimeZone": ("UTC", "Asia/Tokyo", "UTC"), "DateStyle": ("ISO, DMY", "SQL, DMY", "ISO, DMY")}[setting] * 2:
        cur = psycopg.RawCursor(conn)
        if value.startswith("SQL") and not binary:
            continue  # psycopg does not load it
        found = direct.fetch_all(conn, query, (setting, value), binary=binary)
        assert [(str(v), getattr(v, "tzinfo", None)) for v in found[0]] == [
            (str(v), getattr(v, "tzinfo", None)) for v in cur.execute(query, (setting, value), binary=binary).fetchall()[0]
        ]


def test_adapters_registered_later_are_used(direct: Any, conn: psycopg.Connection[Any]) -> None:
    class Shouting(TextBinaryLoader):
        def load(self, data: Any) -> Any:
            return str(super().load(data)).upper()

    for _ in range(2):
        assert direct.fetch_all(conn, ECHO, (1, "a"), binary=True) == [(1, "a")]
    conn.adapters.register_loader("text", Shouting)
    assert direct.fetch_all(conn, ECHO, (1, "a"), binary=True) == [(1, "A")]


def test_an_adapter_of_the_user_is_made_for_each_call_with_the_connection(direct: Any, conn: psycopg.Connection[Any]) -> None:
    seen: list[object] = []

    class Looking(TextBinaryLoader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            seen.append(self.connection)

    conn.adapters.register_loader("text", Looking)
    for _ in range(4):
        direct.fetch_all(conn, ECHO, (1, "a"), binary=True)
    assert len(seen) == 4
    assert all(found is conn for found in seen)


def test_the_functions_that_load_and_dump_json_may_change_for_all_connections(direct: Any, conn: psycopg.Connection[Any]) -> None:
    query, before = "SELECT $1::jsonb", [getattr(JsonLoader, "_loads"), getattr(JsonDumper, "_dumps")]  # noqa: B009 - private
    for _ in range(3):
        assert direct.fetch_all(conn, query, (Jsonb({"a": 1}),), binary=True) == [({"a": 1},)]
    set_json_loads(lambda data: ("loaded", json.loads(data)))
    set_json_dumps(lambda value: json.dumps({"dumped": value}))
    try:
        assert direct.fetch_all(conn, query, (Jsonb(1),), binary=True) == [(("loaded", {"dumped": 1}),)]
    finally:
        set_json_loads(before[0])
        set_json_dumps(before[1])


class Reading(Dumper):
    """Reads a file to its end: a second time, nothing is left."""

    oid, format = BYTES.oid, Format.BINARY

    def dump(self, obj: io.BytesIO) -> bytes:
        return obj.read()


@pytest.mark.parametrize("threshold", [None, 0, 5])
def test_a_parameter_is_dumped_once_by_whichever_way_it_goes(direct: Any, conn: psycopg.Connection[Any], threshold: int | None) -> None:
    conn.prepare_threshold = threshold
    conn.adapters.register_dumper(io.BytesIO, Reading)

    def echoed() -> object:
        [(found,)] = direct.fetch_all(conn, "SELECT $1::bytea", (io.BytesIO(b"once"),), binary=True)
        return found

    assert [echoed() for _ in range(8)] == [b"once"] * 8
    with conn.pipeline():
        assert echoed() == b"once"
    conn.commit()
    # psycopg does not know of it.
    conn.pgconn.exec_(b"DEALLOCATE ALL")
    assert [echoed() for _ in range(7)] == [b"once"] * 7


@pytest.mark.parametrize("raised", [RuntimeError("dumped"), ValueError("dumped"), StopIteration()], ids=repr)
def test_what_a_dumper_raises_leaves_the_connection_as_a_cursor_does(direct: Any, conn: psycopg.Connection[Any], raised: Exception) -> None:
    class Raising(Dumper):
        def dump(self, obj: Any) -> bytes:
            if obj.getvalue():
                raise raised
            return b""

    conn.adapters.register_dumper(io.BytesIO, Raising)
    seen: list[tuple[type[BaseException], int]] = []

    def execute(_: object, query: LiteralString, params: tuple[object, ...]) -> None:
        psycopg.RawCursor(conn).execute(query, params)

    for call in (direct.fetch_all, execute):
        for _ in range(2):
            direct.fetch_all(conn, "SELECT $1::text", (io.BytesIO(),))
        conn.rollback()
        with pytest.raises(Exception, match=r".*") as error:
            call(conn, "SELECT $1::text", (io.BytesIO(b"x"),))
        seen.append((type(error.value), conn.info.transaction_status))
        conn.rollback()
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("query", "setting", "value", "other"),
    [
        ("SELECT '2020-02-03'::date", "DateStyle", "SQL, DMY", "SQL, MDY"),
        ("SELECT '2020-02-03 04:05:06+00'::timestamptz", "TimeZone", "UTC", "Asia/Tokyo"),
    ],
)
def test_rows_are_loaded_by_the_settings_at_the_time_of_the_call(
    direct: Any, conn: psycopg.Connection[Any], query: LiteralString, setting: str, value: str, other: str
) -> None:
    conn.execute(f"SET {setting} TO '{value}'".encode())
    expected = [str(direct.fetch_all(conn, query)) for _ in range(2)][1]
    conn.execute(f"SET {setting} TO '{other}'".encode())
    direct.fetch_all(conn, query)
    conn.execute(f"SET {setting} TO '{value}'".encode())
    rows = direct.rows(conn, query)
    # As another thread might, before the rows are loaded.
    conn.execute(f"SET {setting} TO '{other}'".encode())
    assert str(list(rows)) == expected
    conn.execute(f"SET {setting} TO '{value}'".encode())
    assert str(direct.fetch_all(conn, query)) == expected


async def test_text_is_sent_in_the_encoding_that_the_connection_has_when_its_turn_comes(direct: Any, database: str) -> None:
    async with await AsyncConn.connect(database, autocommit=True, prepare_threshold=0) as conn:
        for _ in range(2):
            await direct.afetch_all(conn, ECHO, (1, "é"), binary=True)
        changing = asyncio.create_task(conn.execute("SELECT set_config('client_encoding', 'latin1', false), pg_sleep(0.1)"))
        await asyncio.sleep(0)
        assert await direct.afetch_all(conn, ECHO, (1, "é"), binary=True) == [(1, "é")]
        await changing


def test_notices_and_notifications_are_handed_on(direct: Any, conn: psycopg.Connection[Any], admin: psycopg.Connection[Any]) -> None:
    notices: list[str | None] = []
    notifications: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    conn.add_notify_handler(lambda notification: notifications.append(notification.payload))
    conn.execute("LISTEN direct")
    conn.execute(
        "CREATE FUNCTION pg_temp.say(said text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', said; RETURN said; END $$"
    )
    conn.commit()
    for said in ("a", "b"):
        assert direct.fetch_all(conn, "SELECT pg_temp.say($1::text)", (said,)) == [(said,)]
    assert notices == ["a", "b"]
    conn.commit()
    admin.execute("NOTIFY direct, 'c'")
    direct.fetch_all(conn, ECHO, (1, ""))
    conn.commit()
    direct.fetch_all(conn, ECHO, (1, ""))
    assert notifications == ["c"]


ERRORS: dict[str, tuple[LiteralString, tuple[object, ...]]] = {
    "division": ("SELECT 1 / $1::int4", (0,)),
    "constraint": ("INSERT INTO pg_temp.checked VALUES ($1::int4)", (-1,)),
    "nul": (ECHO, (1, "a\0b")),
    "surrogate": (ECHO, (1, "\ud800")),
    "type": (ECHO, (1, object())),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_a_cursor(direct: Any, conn: psycopg.Connection[Any], name: str) -> None:
    query, bad = ERRORS[name]
    conn.execute("CREATE TEMP TABLE checked (n int4 CONSTRAINT positive CHECK (n > 0))")
    conn.commit()
    good = (1,) if len(bad) == 1 else (1, "")
    direct.execute(conn, query, good)
    conn.commit()
    seen: list[tuple[object, ...]] = []

    def with_cursor(*_: object) -> None:
        psycopg.RawCursor(conn).execute(query, bad)

    for execute in (direct.execute, with_cursor):
        with pytest.raises(Exception, match=r".") as caught:
            execute(conn, query, bad)
        diag = getattr(caught.value, "diag", None)
        seen.append((type(caught.value), str(caught.value), diag and (diag.sqlstate, diag.constraint_name), conn.info.transaction_status))
        conn.rollback()
        direct.execute(conn, query, good)
        conn.commit()
    assert seen[0] == seen[1]


# --- A statement that the server does not have any more ----------------------------------------------------------------

FORGET: dict[str, LiteralString] = {
    "unseen": "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
    "deallocate": "DEALLOCATE ALL",
    "discard": "DISCARD ALL",
}


@pytest.mark.parametrize("how", FORGET)
def test_a_dropped_statement_is_prepared_anew(direct: Any, database: str, how: str) -> None:
    for autocommit in (True, False):
        with psycopg.connect(database, autocommit=True, prepare_threshold=0) as conn:
            conn.autocommit = autocommit or how == "discard"
            # psycopg does not see a second one, if nothing was prepared at the first.
            conn.execute("DEALLOCATE ALL", prepare=False)
            conn.commit()
            direct.fetch_all(conn, ECHO, (1, "a"))
            conn.execute(FORGET[how], prepare=False)
            conn.commit()
            for number in range(3):
                assert direct.fetch_all(conn, ECHO, (number, "b")) == [(number, "b")]
                conn.commit()


@pytest.mark.parametrize("state", ["26000", "0A000"])
def test_an_error_that_looks_like_a_dropped_statement_does_not_execute_it_twice(direct: Any, database: str, state: str) -> None:
    with psycopg.connect(database, autocommit=True, prepare_threshold=0) as conn:
        conn.execute("CREATE TEMP SEQUENCE calls")
        conn.execute("""
            CREATE OR REPLACE FUNCTION pg_temp.raises(state text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                PERFORM nextval('calls');
                IF state <> '' THEN RAISE EXCEPTION USING ERRCODE = state; END IF;
            END $$
        """)
        query = "SELECT pg_temp.raises($1::text)::text"
        direct.fetch_all(conn, query, ("",))
        with pytest.raises(psycopg.Error):
            direct.fetch_all(conn, query, (state,))
        assert conn.execute("SELECT last_value FROM calls").fetchone() == (2,)


def test_a_changed_type_is_seen_at_once(direct: Any, conn: psycopg.Connection[Any], admin: psycopg.Connection[Any]) -> None:
    assert [direct.fetch_all(conn, SHAPE, binary=True) for _ in range(2)] == [[(7,)]] * 2
    conn.commit()
    admin.execute("ALTER TABLE shapes ALTER extra TYPE text")
    assert [direct.fetch_all(conn, SHAPE, binary=True) for _ in range(2)] == [[("7",)]] * 2


def test_inside_a_transaction_a_changed_type_is_an_error_and_the_next_transaction_works(
    direct: Any, conn: psycopg.Connection[Any], admin: psycopg.Connection[Any]
) -> None:
    direct.fetch_all(conn, SHAPE)
    conn.commit()
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"), conn.transaction():  # noqa: PT012 - the block is what fails
        conn.execute("SELECT 1")
        admin.execute("ALTER TABLE shapes ALTER extra TYPE text")
        direct.fetch_all(conn, SHAPE)
    with conn.transaction():
        assert direct.fetch_all(conn, SHAPE) == [("7",)]


# --- Interruptions -----------------------------------------------------------------------------------------------------


async def wait_for_sleep(conn: psycopg.Connection[Any] | AsyncConn, admin: psycopg.Connection[Any]) -> None:
    """Wait until the connection's server process sleeps."""
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    while not admin.execute(query, (conn.info.backend_pid,)).fetchone():  # noqa: ASYNC110 - the server sends no event
        await asyncio.sleep(0.01)


def is_running(conn: psycopg.Connection[Any] | AsyncConn, admin: psycopg.Connection[Any]) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
    return bool(admin.execute(query, (conn.info.backend_pid,)).fetchone())


@pytest.mark.parametrize("autocommit", [True, False])
async def test_a_cancelled_task_cancels_its_query(direct: Any, database: str, admin: psycopg.Connection[Any], autocommit: bool) -> None:
    async with await AsyncConn.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        await direct.afetch_all(conn, SLEEP, (0,))
        await conn.commit()
        task = asyncio.create_task(direct.afetch_all(conn, SLEEP, (600,)))
        await wait_for_sleep(conn, admin)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_running(conn, admin)
        assert conn.info.transaction_status is (IDLE if autocommit else INERROR)
        await conn.rollback()
        assert await direct.afetch_all(conn, ECHO, (1, "a")) == [(1, "a")]


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("turns", range(4))
async def test_a_task_that_is_cancelled_twice_leaves_no_result_to_another_call(
    direct: Any, database: str, autocommit: bool, turns: int
) -> None:
    async with await AsyncConn.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        for number in range(2):
            assert await direct.afetch_all(conn, ECHO, (number, "before")) == [(number, "before")]
        await conn.commit()
        task = asyncio.create_task(direct.afetch_all(conn, ECHO, (2, "cancelled")))
        for _ in range(1 + turns):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert conn.closed or conn.info.transaction_status in {IDLE, INTRANS, INERROR}
        if not conn.closed:
            await conn.rollback()
            assert await direct.afetch_all(conn, ECHO, (3, "after")) == [(3, "after")]


def test_an_interrupt_cancels_the_query(direct: Any, conn: psycopg.Connection[Any], admin: psycopg.Connection[Any]) -> None:
    direct.fetch_all(conn, SLEEP, (0,))
    conn.commit()

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)

    def send() -> None:
        asyncio.run(wait_for_sleep(conn, admin))
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            direct.fetch_all(conn, SLEEP, (600,))
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert not is_running(conn, admin)
    conn.rollback()
    assert direct.fetch_all(conn, ECHO, (1, "a")) == [(1, "a")]


@pytest.mark.parametrize("autocommit", [True, False])
async def test_a_killed_connection_says_what_the_server_said(
    direct: Any, database: str, admin: psycopg.Connection[Any], autocommit: bool
) -> None:
    with psycopg.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        direct.fetch_all(conn, ECHO, (1, ""))
        conn.commit()
        admin.execute("SELECT pg_terminate_backend(%s, 60000)", (conn.info.backend_pid,))
        with pytest.raises(errors.AdminShutdown):
            direct.fetch_all(conn, ECHO, (1, ""))
        assert conn.broken
    async with await AsyncConn.connect(database, autocommit=autocommit, prepare_threshold=0) as aconn:
        await direct.afetch_all(aconn, ECHO, (1, ""))
        await aconn.commit()
        admin.execute("SELECT pg_terminate_backend(%s, 60000)", (aconn.info.backend_pid,))
        with pytest.raises(errors.AdminShutdown):
            await direct.afetch_all(aconn, ECHO, (1, ""))
        assert aconn.broken


async def test_a_call_whose_connection_is_closed_ends(direct: Any, database: str, admin: psycopg.Connection[Any]) -> None:
    conn = await AsyncConn.connect(database, autocommit=True, prepare_threshold=0)
    await direct.afetch_all(conn, SLEEP, (0,))
    task = asyncio.create_task(direct.afetch_all(conn, SLEEP, (600,)))
    await wait_for_sleep(conn, admin)
    pid = conn.info.backend_pid
    await conn.close()
    with pytest.raises(psycopg.OperationalError):
        await task
    admin.execute("SELECT pg_terminate_backend(%s)", (pid,))


# --- Threads, tasks, event loops, processes ----------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [True, False])
async def test_a_connection_that_waits_in_its_own_way_does_so_in_each_call(direct: Any, database: str, autocommit: bool) -> None:
    class Own(AsyncConn):
        waits = 0

        async def wait(self, *args: Any, **kwargs: Any) -> Any:
            self.waits += 1
            return await super().wait(*args, **kwargs)

    async with await Own.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        for number in range(3):
            assert await direct.afetch_all(conn, ECHO, (number, "before")) == [(number, "before")]
            await conn.rollback()
        conn.waits = 0
        for number in range(3):
            assert await direct.afetch_all(conn, ECHO, (number, "after")) == [(number, "after")]
        assert conn.waits == 3


def test_threads_share_a_connection(direct: Any, conn: psycopg.Connection[Any]) -> None:
    wrong: list[object] = []

    def call(number: int) -> None:
        rows = [(number, str(text)) for text in range(100)]
        wrong.extend(row for row in rows if direct.fetch_all(conn, ECHO, row) != [row])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_connection_moves_to_another_event_loop(direct: Any, database: str) -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    conn = first.run_until_complete(AsyncConn.connect(database, autocommit=True, prepare_threshold=0))
    for number, loop in enumerate((first, first, second, second, first)):
        assert loop.run_until_complete(direct.afetch_all(conn, ECHO, (number, ""))) == [(number, "")]
    first.close()
    for number in range(2):
        assert second.run_until_complete(direct.afetch_all(conn, ECHO, (number, ""))) == [(number, "")]
    second.run_until_complete(conn.close())
    second.close()


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_a_closed_connection_leaves_no_descriptor_open(direct: Any, database: str) -> None:
    before = descriptors()
    for _ in range(3):
        async with await AsyncConn.connect(database, autocommit=True, prepare_threshold=0) as conn:
            for _ in range(2):
                await direct.afetch_all(conn, ECHO, (1, ""))
        while descriptors() > before:  # noqa: ASYNC110 - until the server has hung up
            await asyncio.sleep(0.01)


async def test_a_notification_between_two_calls_does_not_keep_the_event_loop_busy(
    direct: Any, database: str, admin: psycopg.Connection[Any]
) -> None:
    async with await AsyncConn.connect(database, autocommit=True, prepare_threshold=0) as conn:
        received: list[str] = []
        conn.add_notify_handler(lambda notification: received.append(notification.payload))
        await conn.execute("LISTEN direct")
        for _ in range(2):
            await direct.afetch_all(conn, ECHO, (1, ""))
        watched = descriptors()
        admin.execute("NOTIFY direct, 'a'")
        while descriptors() == watched:  # noqa: ASYNC110 - until the loop watches the connection no longer
            await asyncio.sleep(0)
        assert await direct.afetch_all(conn, ECHO, (2, "")) == [(2, "")]
        assert received == ["a"]


async def test_a_connection_that_nobody_holds_is_freed(direct: Any, database: str) -> None:
    before = descriptors()
    conn = await AsyncConn.connect(database, autocommit=True, prepare_threshold=0)
    for _ in range(2):
        await direct.afetch_all(conn, ECHO, (1, ""))
    await conn.close()
    gone = weakref.ref(conn)
    del conn
    gc.collect()
    assert gone() is None
    while descriptors() > before:  # noqa: ASYNC110 - until the loop has run what frees it
        await asyncio.sleep(0)


async def test_a_forked_process_leaves_the_connection_alone(direct: Any, database: str) -> None:
    async with await AsyncConn.connect(database, autocommit=True, prepare_threshold=0) as conn:
        for _ in range(2):
            await direct.afetch_all(conn, ECHO, (1, ""))
        child = os.fork()
        if not child:
            try:
                direct.readers[conn].close()
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0  # noqa: ASYNC222 - it ends at once
        async with asyncio.timeout(60):
            assert await direct.afetch_all(conn, ECHO, (2, "")) == [(2, "")]
