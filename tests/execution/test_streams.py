"""A stream leaves its connection as other statements do, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg.conninfo import make_conninfo

from tests.support.sqlc import Recordings
from tests.support.trace import Trace
from tests.support.waiting import wait_until_asleep

from .commands_project import CALLS, COLOURS, PROJECT, Client, compile_project, connected, make_database, wait

# More rows than a stream's end waits for.
ENDLESS = 10**12


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, proof_server: str, server: str, recordings: Recordings) -> str:
    """The URL of a database with the schema; the package is importable."""
    compile_project(PROJECT, tmp_path_factory.mktemp("streams") / "project", proof_server, recordings)
    return make_database(server)


@pytest.fixture(params=CALLS)
def url(request: pytest.FixtureRequest, database: str) -> str:
    """The URL of the database with empty tables, for functions that execute with a cursor or without."""
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("DELETE FROM parts; DELETE FROM items")
    return make_conninfo(database, application_name=request.param)


async def cancel_stream(client: Client, function: str, steps: int) -> None:
    """Cancel the task that reads a stream, so many steps of the event loop after it has begun to close the stream."""
    closing = asyncio.Event()

    async def read() -> None:
        async with contextlib.aclosing(getattr(client.functions, function)(client.conn, last=ENDLESS)) as rows:
            await anext(rows)
            closing.set()

    task = asyncio.create_task(read())
    await closing.wait()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def end_stream(client: Client, how: str) -> None:
    """Read a stream that ends in that way."""
    match how:
        case "chunks, all read":
            await client.stream("stream_numbers", last=2_000)
        case "chunks, closed":
            await client.stream("stream_numbers", 3, last=ENDLESS)
        case "no rows":
            await client.stream("stream_numbers", last=0)
        case "single rows, all read":
            await client.stream("stream_singly", last=3)
        case "single rows, closed":
            await client.stream("stream_singly", 3, last=ENDLESS)
        case "an error":
            with pytest.raises(psycopg.errors.DivisionByZero):
                await client.stream("stream_quotients")
        case _:
            raise AssertionError(how)


ENDS = ("chunks, all read", "no rows", "single rows, all read", "chunks, closed", "single rows, closed", "an error")
# After the others, a transaction can only be rolled back.
CASES = [*itertools.product(["autocommit"], ENDS), *itertools.product(["transaction"], ENDS[:3])]
USES = ("batchone", "batchmany", "a function that reads", "a function that returns a cursor", "psycopg's executemany")


@contextlib.asynccontextmanager
async def pipeline(conn: Any) -> AsyncGenerator[None]:
    """A pipeline of either colour."""
    if isinstance(conn, psycopg.Connection):
        with conn.pipeline():
            yield
    else:
        async with conn.pipeline():
            yield


async def use_pipeline(client: Client, use: str) -> list[int]:
    """Send a statement as the first one of a pipeline, and return two numbers that are in its rows: 1 and 2."""
    match use:
        case "batchone":
            return [number - 2 for number in await client("insert_each", client.rows("InsertEachParams", (3, "c"), (4, "d")))]
        case "batchmany":
            return [len(names) for names in await client("names_below", client.rows("NamesBelowParams", (2,), (3,)))]
        case "a function that reads":
            async with pipeline(client.conn):
                return list(await client("item_ids"))
        case "a function that returns a cursor":
            async with pipeline(client.conn):
                return [number for (number,) in await wait((await client("touch", id=9)).fetchall())]
        case _:
            cur = client.conn.cursor()
            await wait(cur.executemany("SELECT %s::int", [(1,), (2,)], returning=True))
            found = [(await wait(cur.fetchone()))[0]]
            cur.nextset()
            return [*found, (await wait(cur.fetchone()))[0]]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("situation", "how"), CASES)
@pytest.mark.parametrize("threshold", [0, None], ids=["prepared", "not prepared"])
@pytest.mark.parametrize("colour", COLOURS)
async def test_a_pipeline_after_a_stream_returns_its_rows(
    url: str, colour: str, threshold: int | None, situation: str, how: str, use: str
) -> None:
    async with connected(url, colour, situation) as client:
        client.conn.prepare_threshold = threshold
        await client("insert_each", client.rows("InsertEachParams", (1, "a"), (2, "b")))
        await end_stream(client, how)
        assert await use_pipeline(client, use) == [1, 2]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_stream_makes_one_round_trip(url: str, colour: str, tmp_path: Path) -> None:
    async with connected(url, colour, "autocommit") as client:
        with Trace(client.conn, tmp_path) as trace:
            await client.stream("stream_numbers", last=3)
    assert trace.round_trips() == 1


@pytest.mark.parametrize("function", ["stream_numbers", "stream_singly"])
async def test_a_stream_that_is_cancelled_as_it_closes_leaves_a_connection_that_is_usable_or_closed(url: str, function: str) -> None:
    for steps in range(40):
        async with connected(url, "async", "autocommit") as client:
            await cancel_stream(client, function, steps)
            assert client.conn.closed or await client("item_ids") == []


async def test_a_stream_that_is_cancelled_while_it_waits_for_its_connection_does_nothing_to_it(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:
        sleeping = asyncio.create_task(client("sleep_each", client.rows("SleepEachParams", (7, 0.5))))
        await asyncio.to_thread(wait_until_asleep, url)
        waiting = asyncio.create_task(client.stream("stream_numbers", last=3))
        for _ in range(5):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await sleeping == [7]
        assert await client.stream("stream_numbers", last=3) == [1, 2, 3]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_stream_that_a_pipeline_refuses_does_nothing_to_it(url: str, colour: str) -> None:
    async with connected(url, colour, "autocommit") as client:
        async with pipeline(client.conn):
            await client("create_item", *client.rows("CreateItemParams", (1, "a", None)))
            with pytest.raises(psycopg.ProgrammingError, match="pipeline"):
                await client.stream("stream_numbers", last=3)
        assert await client("item_ids") == [1]


async def test_a_thread_that_uses_the_connection_of_a_stream_gets_an_error_while_the_stream_waits_for_a_row(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        client = Client(conn, "sync")
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.extend(client.functions.stream_sleep(conn, seconds=1)))
        thread.start()
        wait_until_asleep(url)
        with pytest.raises(psycopg.ProgrammingError, match="the stream of StreamSleep is open on this connection"):
            await client("item_ids")
        thread.join()
        assert found == [""]
        assert await client("item_ids") == []


class Machine(RuleBasedStateMachine):
    """One connection, on which streams, batches, pipelines and single calls follow each other, and the items that are in the table."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = contextlib.AsyncExitStack()
        self.client: Any = None
        self.committed: set[int] = set()
        self.items: set[int] = set()
        self.numbers = itertools.count(1)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(colour=st.sampled_from(COLOURS), calls=st.sampled_from(CALLS), autocommit=st.booleans())
    def open(self, *, colour: str, calls: str, autocommit: bool) -> None:
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute("DELETE FROM parts; DELETE FROM items")
        self.settings = colour, calls, autocommit
        self.connect()

    def connect(self) -> None:
        colour, calls, autocommit = self.settings
        connecting = connected(make_conninfo(self.url, application_name=calls), colour, "autocommit")
        self.client = self.run(self.stack.enter_async_context(connecting))
        self.run(wait(self.client.conn.set_autocommit(autocommit)))

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()

    @property
    def autocommit(self) -> bool:
        return bool(self.settings[2])

    def wrote(self) -> None:
        if self.autocommit:
            self.committed = set(self.items)

    def lose(self) -> None:
        """Forget what a transaction that failed did, or one whose connection was closed."""
        if self.client.conn.closed:
            self.connect()
        if not self.autocommit:
            self.run(wait(self.client.conn.rollback()))
            self.items = set(self.committed)

    @rule(how=st.sampled_from(ENDS))
    def stream(self, how: str) -> None:
        self.run(end_stream(self.client, how))
        if how not in ENDS[:3]:
            self.lose()

    @rule(function=st.sampled_from(["stream_numbers", "stream_singly"]), steps=st.integers(0, 30))
    def cancel(self, function: str, steps: int) -> None:
        if self.client.colour == "async":
            self.run(cancel_stream(self.client, function, steps))
            self.lose()

    @rule(count=st.integers(0, 4), repeated=st.booleans())
    def write_batch(self, count: int, *, repeated: bool) -> None:
        """Insert items, of which the last one may be in the table: then nothing is inserted."""
        numbers = [next(self.numbers) for _ in range(count)]
        fails = repeated and bool(self.items)
        rows = self.client.rows("InsertEachParams", *((number, str(number)) for number in numbers))
        if fails:
            rows += self.client.rows("InsertEachParams", (max(self.items), "again"))
            with pytest.raises(psycopg.errors.UniqueViolation):
                self.run(self.client("insert_each", rows))
            self.lose()
            return
        assert self.run(self.client("insert_each", rows)) == numbers
        self.items |= set(numbers)
        self.wrote()

    @rule(limits=st.lists(st.integers(0, 20), max_size=3))
    def read_batch(self, limits: list[int]) -> None:
        found = self.run(self.client("count_below", self.client.rows("CountBelowParams", *((limit,) for limit in limits))))
        assert found == [sum(number < limit for number in self.items) for limit in limits]

    @rule(writes=st.booleans())
    def pipeline(self, *, writes: bool) -> None:
        async def use() -> object:
            async with pipeline(self.client.conn):
                if writes:
                    number = next(self.numbers)
                    await self.client("create_item", *self.client.rows("CreateItemParams", (number, str(number), None)))
                    self.items.add(number)
                return await self.client("item_ids")

        assert self.run(use()) == sorted(self.items)
        self.wrote()

    @rule()
    def call(self) -> None:
        assert self.run(self.client("item_ids")) == sorted(self.items)

    @rule(how=st.sampled_from(["commit", "rollback"]))
    def end(self, how: str) -> None:
        self.run(wait(getattr(self.client.conn, how)()))
        if not self.autocommit:
            self.committed, self.items = (self.items, set(self.items)) if how == "commit" else (self.committed, set(self.committed))

    @rule(threshold=st.sampled_from([None, 0, 5]))
    def set_threshold(self, threshold: int | None) -> None:
        self.client.conn.prepare_threshold = threshold

    @invariant()
    def what_is_committed_is_in_the_table(self) -> None:
        if self.client is None:
            return
        with psycopg.connect(self.url) as conn:
            assert {number for (number,) in conn.execute("SELECT id FROM items")} == self.committed


def run(database: str, examples: int) -> None:
    Machine.url = database
    # What happens depends on time, so an example cannot be made smaller.
    limits = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Machine, settings=limits)


def test_calls_after_streams_report_what_they_did(database: str) -> None:
    run(database, 15)


@pytest.mark.slow
def test_calls_after_streams_report_what_they_did_for_long(database: str) -> None:
    run(database, 200)
