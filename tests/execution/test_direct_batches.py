"""Batches without a cursor do what a cursor does: transactions, errors and the items they concern, cancellation, large values."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, LiteralString

import psycopg
import pytest
from psycopg import errors, waiting
from psycopg.adapt import Dumper
from psycopg.pq import PipelineStatus, TransactionStatus

from tests.support.trace import Trace
from tests.support.waiting import wait_until, wait_until_asleep

from .commands_project import COLOURS, Load, wait

ECHO = "SELECT $1::int8, $2::text"
LARGE = "SELECT repeat($1::text, 100)"
INSERT = "INSERT INTO sent VALUES ($1::int4)"
SLEEP = "SELECT pg_sleep($1::float8)::text"
SHAPE = "SELECT extra FROM formed WHERE $1::int4 > 0"
IDLE, INTRANS = TransactionStatus.IDLE, TransactionStatus.INTRANS


@pytest.fixture
def calls() -> str:
    return "direct"


class Client:
    """A connection of either colour, and batches on it."""

    def __init__(self, conn: Any, load: Load, colour: str) -> None:
        self.conn, self.colour = conn, colour
        self._direct, self._rows = load("_direct"), load("_rows")

    async def batch(self, query: LiteralString, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """Return the rows of each item."""
        sent = self._rows.SentRows(rows)
        name = "execute_batch" if query == INSERT else "fetch_batch"
        function = getattr(self._direct, name if self.colour == "sync" else f"a{name}")
        return list(await wait(function(self.conn, query, sent, (row for row in sent))) or ())

    async def execute(self, query: LiteralString) -> list[Any]:
        cur = await wait(self.conn.execute(query, prepare=False))
        return list(await wait(cur.fetchall())) if cur.description else []


@pytest.fixture
def admin(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS sent, formed; CREATE TABLE sent (n int4 CHECK (n <> 666)); CREATE TABLE formed (extra int4)")
        conn.execute("INSERT INTO formed VALUES (7)")
        yield conn
        conn.execute("DROP TABLE sent, formed")


@pytest.fixture(params=[True, False], ids=["autocommit", "transaction"])
def autocommit(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=COLOURS)
async def client(request: pytest.FixtureRequest, load: Load, database: str, admin: Any, autocommit: bool) -> Any:
    if request.param == "sync":
        with psycopg.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
            yield Client(conn, load, "sync")
    else:
        async with await psycopg.AsyncConnection.connect(database, autocommit=autocommit, prepare_threshold=0) as aconn:
            yield Client(aconn, load, "async")


def counted(admin: psycopg.Connection[Any]) -> int:
    [(count,)] = admin.execute("SELECT count(*) FROM sent").fetchall()
    return int(count)


def notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


async def prepare(client: Client, query: LiteralString, *rows: Sequence[Any]) -> None:
    """Make psycopg prepare the statement, for the types of the rows."""
    await client.batch(query, rows)
    await wait(client.conn.commit())


async def test_a_batch_is_sent_at_once_with_its_begin(client: Client, autocommit: bool, tmp_path: Path) -> None:
    await prepare(client, ECHO, (1, "a"), (1, None))
    rows = [(1, "a"), (2, None), (3, "c")]
    with Trace(client.conn, tmp_path) as trace:
        assert await client.batch(ECHO, rows) == [[row] for row in rows]
    assert trace.round_trips() == 1
    begin = [] if autocommit else ["Parse", "Bind", "Describe", "Execute"]
    assert trace.sent() == [*begin, *["Bind", "Describe", "Execute"] * 3, "Sync"]
    assert client.conn.info.transaction_status is (IDLE if autocommit else INTRANS)


@pytest.mark.parametrize("autocommit", [True])
async def test_a_deferred_constraint_fails_after_the_last_item_and_leaves_the_connection(
    client: Client, admin: psycopg.Connection[Any], autocommit: bool
) -> None:
    admin.execute("ALTER TABLE sent ADD CONSTRAINT once UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
    await prepare(client, INSERT, (1,))
    with pytest.raises(errors.UniqueViolation) as failed:
        await client.batch(INSERT, [(2,), (1,), (3,)])
    assert notes(failed.value) == []
    assert client.conn.info.transaction_status is IDLE
    await client.batch(INSERT, [(2,)])
    assert counted(admin) == 2


async def test_types_that_are_not_prepared_are_prepared_by_a_cursor_and_no_item_is_lost(client: Client, tmp_path: Path) -> None:
    await prepare(client, ECHO, (1, "a"))
    rows = [(1, "a"), (2**40, "b"), (3, None)]
    assert await client.batch(ECHO, iter(rows)) == [[row] for row in rows]
    with Trace(client.conn, tmp_path) as trace:
        assert await client.batch(ECHO, iter(rows)) == [[row] for row in rows]
    assert "Parse" not in trace.sent()


class Counting(Dumper):
    """Counts how often it dumps."""

    oid = psycopg.adapters.types["text"].oid
    dumped: ClassVar[list[object]] = []

    def dump(self, obj: object) -> bytes:
        self.dumped.append(obj)
        return b"x"


@pytest.mark.parametrize("count", [3, 11_000])
async def test_each_parameter_is_dumped_once_by_whichever_way_it_goes(client: Client, count: int) -> None:
    client.conn.adapters.register_dumper(complex, Counting)
    for _ in range(2):
        Counting.dumped.clear()
        await client.batch(ECHO, ((1, complex(number)) for number in range(count)))
        assert Counting.dumped == [complex(number) for number in range(count)]


async def test_what_is_sent_and_received_may_be_larger_than_the_buffers_between(client: Client) -> None:
    await prepare(client, LARGE, ("a",))
    texts = [chr(97 + number % 26) * 2_000 for number in range(400)]
    assert await client.batch(LARGE, ((text,) for text in texts)) == [[(text * 100,)] for text in texts]


@pytest.mark.parametrize(("count", "size"), [(12_000, 1), (30, 50_000)], ids=["rows", "bytes"])
async def test_a_batch_that_is_too_large_is_sent_as_it_is_read(client: Client, count: int, size: int) -> None:
    await prepare(client, ECHO, (1, "a"), (300, "a"))
    rows = [(number % 300, "x" * size) for number in range(count)]
    read = 0

    def reading() -> Iterator[tuple[int, str]]:
        nonlocal read
        for row in rows:
            read += 1
            yield row

    assert await client.batch(ECHO, reading()) == [[row] for row in rows]
    assert read == count


@pytest.mark.parametrize("position", [0, 300])
async def test_an_item_that_the_server_refuses_is_named_and_nothing_is_done(
    client: Client, admin: psycopg.Connection[Any], autocommit: bool, position: int
) -> None:
    await prepare(client, INSERT, (1,), (300,))
    rows = [(number,) for number in range(1, 600)]
    rows[position] = (666,)
    before = counted(admin)
    with pytest.raises(errors.CheckViolation) as caught:
        await client.batch(INSERT, rows)
    assert notes(caught.value) == [f"While sending rows[{position}]"]
    assert client.conn.info.transaction_status is (IDLE if autocommit else TransactionStatus.INERROR)
    await wait(client.conn.rollback())
    assert counted(admin) == before
    assert await client.batch(ECHO, [(1, "a")]) == [[(1, "a")]]


async def test_where_the_rows_end_with_an_error_those_before_it_are_sent(
    client: Client, admin: psycopg.Connection[Any], autocommit: bool
) -> None:
    def broken() -> Iterator[tuple[int]]:
        yield from ((1,), (2,))
        raise RuntimeError("no more")

    await prepare(client, INSERT, (1,))
    before = counted(admin)
    with pytest.raises(RuntimeError, match="no more") as caught:
        await client.batch(INSERT, broken())
    assert notes(caught.value) == []
    assert counted(admin) == before + (2 if autocommit else 0)


async def test_a_dropped_statement_is_prepared_anew(client: Client, admin: psycopg.Connection[Any]) -> None:
    await prepare(client, INSERT, (1,))
    await client.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    await wait(client.conn.commit())
    before = counted(admin)
    await client.batch(INSERT, [(1,), (2,)])
    await wait(client.conn.commit())
    assert counted(admin) == before + 2


async def test_inside_a_transaction_a_dropped_statement_is_an_error(client: Client) -> None:
    await prepare(client, INSERT, (1,))
    await client.execute("BEGIN" if client.conn.autocommit else "SELECT 1")
    await client.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    with pytest.raises(errors.InvalidSqlStatementName):
        await client.batch(INSERT, [(1,)])
    await wait(client.conn.rollback())


async def test_a_changed_type_is_seen_at_once(client: Client, admin: psycopg.Connection[Any]) -> None:
    await prepare(client, SHAPE, (1,))
    admin.execute("ALTER TABLE formed ALTER extra TYPE text")
    assert await client.batch(SHAPE, [(1,), (2,)]) == [[("7",)], [("7",)]]


async def test_a_killed_connection_says_what_the_server_said(client: Client, admin: psycopg.Connection[Any]) -> None:
    await prepare(client, ECHO, (1, "a"))
    admin.execute("SELECT pg_terminate_backend(%s, 60000)", (client.conn.info.backend_pid,))
    with pytest.raises(errors.AdminShutdown):
        await client.batch(ECHO, [(1, "a"), (2, "b")])
    assert client.conn.broken


def test_an_interrupt_cancels_the_batch(load: Load, database: str, admin: psycopg.Connection[Any], autocommit: bool) -> None:
    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    def send() -> None:
        wait_until_asleep(database)
        os.kill(os.getpid(), signal.SIGUSR1)

    with psycopg.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        client = Client(conn, load, "sync")
        asyncio.run(prepare(client, SLEEP, (0,)))
        asyncio.run(prepare(client, INSERT, (1,)))
        before = signal.signal(signal.SIGUSR1, interrupt)
        thread = threading.Thread(target=send)
        thread.start()
        rows = load("_rows").SentRows([(0,), (600,), (600,)])
        try:
            with pytest.raises(KeyboardInterrupt):
                load("_direct").execute_batch(conn, SLEEP, rows, iter(rows))
        finally:
            thread.join()
            signal.signal(signal.SIGUSR1, before)
        conn.rollback()
        assert asyncio.run(client.batch(ECHO, [(1, "a")])) == [[(1, "a")]]


async def test_a_cancelled_task_cancels_its_batch(load: Load, database: str, admin: psycopg.Connection[Any], autocommit: bool) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=autocommit, prepare_threshold=0) as conn:
        client = Client(conn, load, "async")
        await prepare(client, SLEEP, (0,))
        task = asyncio.create_task(client.batch(SLEEP, [(0,), (600,), (600,)]))
        await asyncio.to_thread(wait_until_asleep, database)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        busy = f"SELECT 1 FROM pg_stat_activity WHERE pid = {conn.info.backend_pid} AND state = 'active'"
        wait_until(lambda: not admin.execute(busy.encode()).fetchall(), "the server still runs the batch")
        await conn.rollback()
        assert await client.batch(ECHO, [(1, "a")]) == [[(1, "a")]]


async def test_a_connection_on_which_psycopg_stays_in_a_pipeline_is_closed(
    load: Load, database: str, autocommit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # psycopg yields to a loop that was busy for so many seconds: here each time.
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", 0.0)
    async with await psycopg.AsyncConnection.connect(database, autocommit=autocommit) as conn:
        client = Client(conn, load, "async")
        # It takes a cursor, since it is not prepared.
        task = asyncio.create_task(client.batch(ECHO, [(1, "a"), (2, "b")]))
        await asyncio.sleep(0)
        assert conn.pgconn.pipeline_status == PipelineStatus.ON
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert conn.closed
