"""Every command on every kind of connection: success, nothing to do, an error in the middle, cancellation."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from tests.support.sqlc import Recordings
from tests.support.trace import Trace
from tests.support.waiting import wait_until_asleep

from .commands_project import CALLS, COLOURS, PACKAGES, PROJECT, SITUATIONS, Client, compile_project, connected, make_database, wait


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, proof_server: str, server: str, recordings: Recordings) -> str:
    """The URL of a database with the schema; the package is importable."""
    compile_project(PROJECT, tmp_path_factory.mktemp("commands") / "project", proof_server, recordings)
    return make_database(server)


@pytest.fixture(scope="module")
def admin(database: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit."""
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


@pytest.fixture(params=CALLS)
def url(request: pytest.FixtureRequest, database: str, admin: psycopg.Connection) -> str:
    """The URL of the database with empty tables, for functions that execute with a cursor or without."""
    admin.execute("DELETE FROM parts; DELETE FROM items; DELETE FROM every_type")
    return make_conninfo(database, application_name=request.param)


@pytest.fixture(params=itertools.product(COLOURS, SITUATIONS), ids="-".join)
async def client(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Client]:
    """A client of either colour in any situation."""
    async with connected(url, *request.param) as found:
        yield found


@pytest.fixture(params=COLOURS)
async def plain(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Client]:
    """A client of either colour in autocommit."""
    async with connected(url, str(request.param), "autocommit") as found:
        yield found


@pytest.fixture
def count(url: str) -> Callable[[], int]:
    """Counts the items that another connection sees."""

    def counted() -> int:
        with psycopg.connect(url) as conn:
            (found,) = conn.execute("SELECT count(*) FROM items").fetchone() or (0,)
            return int(found)

    return counted


def in_pipeline(client: Client) -> bool:
    return bool(client.conn.pgconn.pipeline_status)


def items(client: Client, *numbers: int) -> list[Any]:
    return client.rows("CopyItemsParams", *((str(number), number, None, "happy") for number in numbers))


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


# --- :copyfrom ---------------------------------------------------------------------------------------------------------


async def test_copyfrom_copies_rows_and_counts_them(client: Client) -> None:
    if in_pipeline(client):
        with pytest.raises(psycopg.NotSupportedError, match="pipeline"):
            await client("copy_items", items(client, 1))
        return
    assert await client("copy_items", items(client, 3, 1, 2)) == 3
    assert await client("item_ids") == [1, 2, 3]
    found = await client("get_item", id=2)
    assert (found.name, found.size, found.mood) == ("2", None, "happy")
    assert await client("copy_items", []) == 0


async def test_copyfrom_takes_any_iterable_and_streams_it(plain: Client) -> None:
    assert await plain("copy_items", (row for row in items(plain, *range(5)))) == 5
    assert await plain("copy_items", iter(items(plain, 5))) == 1


async def test_copyfrom_takes_an_async_iterable(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:

        async def later() -> AsyncIterator[Any]:
            for row in items(client, *range(1000)):
                yield row

        assert await client("copy_items", later()) == 1000


async def test_copyfrom_uses_text_where_a_type_has_no_binary_form(plain: Client) -> None:
    await plain.items(1)
    assert await plain("copy_parts", plain.rows("CopyPartsParams", (1, 1, ["sad", "happy"]), (2, 1, []))) == 2
    assert "BINARY" not in plain.module.COPY_PARTS


async def test_copyfrom_keeps_every_binary_type(plain: Client) -> None:
    assert "BINARY" in plain.module.COPY_EVERY_TYPE
    zone = dt.timezone(dt.timedelta(hours=2))
    when = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    uuid = UUID("12345678-1234-5678-1234-567812345678")
    values: dict[str, object] = {
        "a_bool": True,
        "a_bytea": b"\x00\xff",
        "a_date": dt.date(1, 1, 1),
        "a_float8": -0.1,
        "an_int2": -(2**15),
        "an_int4": 2**31 - 1,
        "an_int8": -(2**63),
        "an_interval": dt.timedelta(days=-1, microseconds=1),
        "a_json": {"a": [1, None]},
        "a_jsonb": ["x", 1.5],
        "a_numeric": Decimal("12345678901234567890.123456789"),
        "a_text": "tab\tnew\nline \\N ü",
        "a_time": dt.time(23, 59, 59, 999999),
        "a_timestamp": dt.datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001 - the type has no zone
        "a_timestamptz": when,
        "a_timetz": dt.time(1, 2, 3, tzinfo=zone),
        "a_uuid": uuid,
        "a_varchar": "",
        "a_bpchar": "a  ",
        "a_mood": "happy",
        "some_int8": [1],
        "some_numeric": [Decimal("0.10"), Decimal(-1)],
        "some_text": ["", "{", "NULL"],
        "some_timestamptz": [when],
        "some_uuid": [],
        "some_jsonb": [{"a": 1}, []],
    }
    row = plain.module.CopyEveryTypeParams(**values)
    assert await plain("copy_every_type", [row]) == 1
    [found] = await plain("every_type")
    assert {name: getattr(found, name) for name in values} == values


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param((None, 3, None, "sad"), psycopg.errors.NotNullViolation, id="PostgreSQL refuses NULL"),
        pytest.param(("1", 3, None, "sad"), psycopg.errors.UniqueViolation, id="PostgreSQL refuses a duplicate"),
        pytest.param(("", 3, None, "sad"), psycopg.errors.CheckViolation, id="PostgreSQL refuses by a CHECK"),
        pytest.param(("3", 3, None, "angry"), psycopg.errors.InvalidTextRepresentation, id="PostgreSQL refuses a label"),
        pytest.param(("3", 2**31, None, "sad"), psycopg.errors.NumericValueOutOfRange, id="no int4 is so large"),
        pytest.param(("3", -(2**31) - 1, None, "sad"), psycopg.errors.NumericValueOutOfRange, id="no int4 is so small"),
        pytest.param(("3", object(), None, "sad"), TypeError, id="psycopg cannot dump a type"),
    ],
)
async def test_a_bad_row_of_copyfrom_is_named_and_nothing_is_written(
    plain: Client, count: Callable[[], int], bad: tuple[object, ...], error: type[Exception]
) -> None:
    rows = [*items(plain, 1, 2), *plain.rows("CopyItemsParams", bad), *items(plain, *range(4, 5000))]
    with pytest.raises(error) as caught:
        await plain("copy_items", rows)
    assert notes(caught.value) == ["While sending rows[2]"]
    assert count() == 0
    assert await plain("copy_items", items(plain, 1)) == 1


async def test_a_bad_row_in_the_text_format_is_named_too(plain: Client) -> None:
    await plain.items(1)
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        await plain("copy_parts", plain.rows("CopyPartsParams", (1, 1, []), (2, None, [])))
    assert notes(caught.value) == ["While sending rows[1]"]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param((None, "sad"), psycopg.errors.NotNullViolation, id="PostgreSQL refuses NULL"),
        pytest.param((1, "angry"), psycopg.errors.InvalidTextRepresentation, id="PostgreSQL refuses a label"),
        # The second is psycopg's without its C extension.
        pytest.param((2**63, "sad"), (OverflowError, struct.error), id="psycopg cannot dump so large a number"),
        pytest.param(("x", "sad"), (TypeError, struct.error), id="psycopg cannot dump a type"),
    ],
)
async def test_a_bad_row_in_the_binary_format_is_named_too(
    plain: Client, bad: tuple[object, ...], error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    assert "BINARY" in plain.module.COPY_BIG
    rows = plain.rows("CopyBigParams", *((n, None) for n in range(10, 20)), bad, *((n, "sad") for n in range(20, 3000)))
    with pytest.raises(error) as caught:
        await plain("copy_big", rows)
    assert notes(caught.value) == ["While sending rows[10]"]


async def test_an_error_of_the_iterable_is_about_no_row_and_nothing_is_written(plain: Client, count: Callable[[], int]) -> None:
    def broken() -> Iterator[Any]:
        yield from items(plain, 1, 2)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more") as caught:
        await plain("copy_items", broken())
    assert notes(caught.value) == []
    assert count() == 0


async def test_a_copy_inside_a_transaction_aborts_it_as_any_error_does(url: str, count: Callable[[], int]) -> None:
    for colour in COLOURS:
        with pytest.raises(psycopg.errors.UniqueViolation):  # noqa: PT012 - the block is part of what is tested
            async with connected(url, colour, "transaction") as client:
                await client.items(7)
                await client("copy_items", items(client, 7))
        assert count() == 0


async def test_a_cancelled_copy_writes_nothing_and_leaves_the_connection_usable(url: str, count: Callable[[], int]) -> None:
    async with connected(url, "async", "autocommit") as client:
        waiting = asyncio.Event()

        async def stuck() -> AsyncIterator[Any]:
            for row in items(client, *range(10)):
                yield row
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(client("copy_items", stuck()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert count() == 0
        assert await client("copy_items", items(client, 1)) == 1


# --- :batchexec, :batchone, :batchmany ---------------------------------------------------------------------------------


async def test_batchexec_runs_for_every_item(client: Client) -> None:
    await client.items(1, 2, 3)
    assert await client("rename_items", client.rows("RenameItemsParams", ("a", 1), ("c", 3), ("z", 99))) is None
    assert await client("names_below", client.rows("NamesBelowParams", (9,))) == [["a", "2", "c"]]


async def test_batchone_returns_a_result_for_every_item_in_order(client: Client) -> None:
    await client.items(1, 2, 3)
    found = await client("find_items", client.rows("FindItemsParams", (3,), (9,), (1,), (3,)))
    assert [item and item.id for item in found] == [3, None, 1, 3]
    assert await client("count_below", client.rows("CountBelowParams", (3,), (0,))) == [2, 0]
    await client("set_size", size=Decimal("1.50"), id=2)
    assert await client("find_sizes", client.rows("FindSizesParams", (1,), (2,), (9,))) == [Decimal("1.50"), None, None]


async def test_batchmany_returns_a_list_for_every_item_in_order(client: Client) -> None:
    await client.items(1, 2)
    assert await client("names_below", client.rows("NamesBelowParams", (3,), (0,), (2,))) == [["1", "2"], [], ["1"]]


async def test_an_empty_batch_does_nothing(client: Client) -> None:
    assert await client("rename_items", []) is None
    assert await client("find_items", iter(())) == []
    assert await client("names_below", []) == []


@pytest.mark.parametrize(
    ("bad", "error", "done"),
    [
        pytest.param((500, None), psycopg.errors.NotNullViolation, 0, id="PostgreSQL refuses: nothing is done"),
        pytest.param(("x", "y"), psycopg.errors.InvalidTextRepresentation, 0, id="PostgreSQL cannot read: nothing is done"),
        pytest.param((500, object()), psycopg.ProgrammingError, 500, id="psycopg cannot dump: what went before is done"),
    ],
)
async def test_a_bad_item_of_a_batch_is_named_in_autocommit(
    plain: Client, count: Callable[[], int], bad: tuple[object, ...], error: type[Exception], done: int
) -> None:
    rows = plain.rows("AddItemsParams", *((n, str(n)) for n in range(500)), bad, *((n, str(n)) for n in range(501, 900)))
    with pytest.raises(error) as caught:
        await plain("add_items", rows)
    assert notes(caught.value) == ["While sending rows[500]"]
    assert count() == done
    await plain.items(1000)
    assert count() == done + 1


async def test_a_batch_inside_a_pipeline_is_not_blamed_for_what_went_before(url: str, count: Callable[[], int]) -> None:
    for colour in COLOURS:
        async with connected(url, colour, "pipeline") as client:
            await client("create_item", client.module.CreateItemParams(1, "", None))
            with pytest.raises(psycopg.errors.CheckViolation) as caught:
                await client.items(2, 3)
            assert notes(caught.value) == []
        assert count() == 0


async def test_a_bad_item_inside_a_pipeline_is_named(url: str) -> None:
    for colour in COLOURS:
        with pytest.raises(psycopg.errors.UniqueViolation) as caught:  # noqa: PT012 - the block is part of what is tested
            async with connected(url, colour, "pipeline") as client:
                await client("create_item", client.module.CreateItemParams(10 + COLOURS.index(colour), colour, None))
                await client.items(1, 2, 1, 3)
        assert notes(caught.value) == ["While sending rows[2]"]


async def test_a_statement_that_is_wrong_itself_is_about_no_item(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ALTER TABLE items RENAME COLUMN name TO title")
        try:
            async with connected(url, "sync", "autocommit") as client:
                with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
                    await client.items(1)
        finally:
            admin.execute("ALTER TABLE items RENAME COLUMN title TO name")
    assert notes(caught.value) == []


async def test_a_batch_is_one_transaction_in_autocommit(plain: Client, count: Callable[[], int]) -> None:
    await plain.items(1, 2)
    assert count() == 2
    assert plain.conn.info.transaction_status is TransactionStatus.IDLE


async def test_a_cancelled_async_batch_leaves_the_connection_usable(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:
        task = asyncio.create_task(client("sleep_each", client.rows("SleepEachParams", (1, 0), (2, 60), (3, 0))))
        await asyncio.to_thread(wait_until_asleep, url)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.items(1)
        assert await client("item_ids") == [1]


async def test_a_cancelled_sync_batch_names_the_item_that_was_running(url: str) -> None:
    async with connected(url, "sync", "autocommit") as client:

        def cancel() -> None:
            wait_until_asleep(url)
            client.conn.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            await client("sleep_each", client.rows("SleepEachParams", (1, 0), (2, 60), (3, 0)))
        thread.join()
        assert notes(caught.value) == ["While sending rows[1]"]
        await client.items(1)


# --- @stream -----------------------------------------------------------------------------------------------------------


async def test_a_stream_yields_every_row(client: Client) -> None:
    await client.items(*range(25))
    if in_pipeline(client):
        with pytest.raises(psycopg.ProgrammingError, match="pipeline"):
            await client.stream("stream_items", first=0)
        return
    assert [item.id for item in await client.stream("stream_items", first=5)] == list(range(5, 25))
    assert await client.stream("stream_items", first=99) == []


async def test_a_stream_that_is_closed_early_ends_its_query(plain: Client) -> None:
    assert await plain.stream("stream_numbers", 3, last=10**12) == [1, 2, 3]
    assert plain.conn.info.transaction_status is TransactionStatus.IDLE
    assert await plain("item_ids") == []


async def test_another_use_of_the_connection_of_an_open_stream_is_an_error_at_once_and_loses_no_row(plain: Client) -> None:
    async def other_stream() -> None:
        await plain.stream("stream_numbers", last=3)

    async def bare_cursor() -> None:
        await wait(plain.conn.execute("SELECT 1"))

    rows = plain.functions.stream_numbers(plain.conn, last=5)
    found: list[int] = []
    for other in (lambda: plain("item_ids"), other_stream, bare_cursor, lambda: wait(plain.conn.commit())):
        found.append(await wait(anext(rows) if plain.colour == "async" else next(rows)))
        with pytest.raises(psycopg.ProgrammingError, match="the stream of StreamNumbers is open on this connection"):
            await other()
    found += [row async for row in rows] if plain.colour == "async" else list(rows)
    assert found == [1, 2, 3, 4, 5]
    assert await plain("item_ids") == []


async def test_an_error_in_the_middle_of_a_stream_comes_after_the_rows_before_it(plain: Client) -> None:
    found: list[int] = []
    rows = plain.functions.stream_quotients(plain.conn)
    with pytest.raises(psycopg.errors.DivisionByZero):  # noqa: PT012 - the block is part of what is tested
        while True:
            found.append(await wait(anext(rows) if plain.colour == "async" else next(rows)))
    assert found == [6, 12]
    assert await plain("item_ids") == []


async def test_a_cancelled_stream_leaves_the_connection_usable(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:
        started = asyncio.Event()

        async def read() -> None:
            try:
                async for _ in client.functions.stream_numbers(client.conn, last=10**12):
                    started.set()
            finally:
                started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await client("item_ids") == []


# --- :execrows, :execresult, :exec -------------------------------------------------------------------------------------


async def test_execrows_counts_in_every_situation(client: Client) -> None:
    await client.items(1, 2, 3)
    assert await client("set_size", size=Decimal(1), id=3) == 2
    assert await client("set_size", size=Decimal(1), id=0) == 0
    assert await client("delete_all") == 3


async def test_execresult_has_its_count_and_rows_in_every_situation(client: Client) -> None:
    await client.items(1, 2, 3)
    cursor = await client("touch", id=3)
    assert cursor.rowcount == 2
    assert sorted(await wait(cursor.fetchall())) == [(1,), (2,)]


async def test_a_failing_execrows_fails_at_once_in_a_pipeline_too(url: str) -> None:
    for colour in COLOURS:
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):  # noqa: PT012 - the block is part of what is tested
            async with connected(url, colour, "pipeline") as client:
                await client.items(1)
                await client("set_size", size=Decimal(10) ** 20, id=9)
                pytest.fail("the error must not wait for the end of the block")
        with psycopg.connect(url) as conn:
            conn.execute("TRUNCATE items CASCADE")


async def test_statements_without_a_result_run_as_exec(client: Client) -> None:
    assert await client("add_item", item_id=1, item_name="x") is None
    if client.conn.info.transaction_status is TransactionStatus.INTRANS:
        await client("lock_items")
    await client("announce")
    await client("refresh_names")
    assert await client("names_seen") == ["x"]
    await client("empty_items")
    assert await client("item_ids") == []


# --- around the functions ----------------------------------------------------------------------------------------------


async def test_queries_above_the_parameter_limit_take_an_object(client: Client) -> None:
    await client("create_item", client.module.CreateItemParams(id=1, name="x", size=Decimal(2)))
    assert (await client("get_item", id=1)).size == Decimal(2)


async def test_the_queriers_are_methods_over_the_functions(client: Client) -> None:
    querier = (client.module.Querier if client.colour == "sync" else client.module.AsyncQuerier)(client.conn)
    await wait(querier.create_item(client.module.CreateItemParams(1, "x", None)))
    await wait(querier.add_items(client.rows("AddItemsParams", (2, "y"))))
    assert (await wait(querier.get_item(id=1))).name == "x"
    ids = querier.item_ids()
    assert ([found async for found in ids] if client.colour == "async" else list(ids)) == [1, 2]
    assert await wait(querier.set_size(size=None, id=9)) == 2


async def test_constraints_are_called_as_errors_report_them(plain: Client) -> None:
    constraints: Any = __import__(f"{PACKAGES['cursor']}.constraints", fromlist=["ItemConstraint"])
    await plain.items(1)
    for row, name in (((1, "y"), "ITEMS_PKEY"), ((2, "1"), "ITEMS_NAME"), ((3, ""), "NAMED")):
        with pytest.raises(psycopg.IntegrityError) as caught:
            await plain("add_items", plain.rows("AddItemsParams", row))
        assert caught.value.diag.constraint_name == constraints.ItemConstraint[name]


async def test_the_registry_knows_every_query() -> None:
    registry: Any = __import__(f"{PACKAGES['cursor']}.registry", fromlist=["QUERIES"])
    items: Any = __import__(f"{PACKAGES['cursor']}.items", fromlist=["COPY_ITEMS"])
    assert len(registry.QUERIES) == 30
    assert registry.QUERIES["CopyItems"] == registry.Query(
        name="CopyItems", sql=items.COPY_ITEMS, file="items.sql", command=":copyfrom", reads=(), writes=("public.items",)
    )
    assert registry.QUERIES["NamesSeen"].reads == ("public.item_names",)


# --- Round trips -------------------------------------------------------------------------------------------------------

# Of one statement that is prepared, and of a batch of ten: in autocommit, and where a transaction begins. psycopg by hand takes as many as
# functions with a cursor: BEGIN is one, and a batch fetches its results before it ends its pipeline.
ROUND_TRIPS = {"cursor": {"autocommit": (1, 2), "transaction": (2, 3)}, "direct": {"autocommit": (1, 1), "transaction": (1, 1)}}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("situation", ["autocommit", "transaction"])
async def test_a_call_makes_no_more_round_trips_than_it_needs(url: str, colour: str, situation: str, tmp_path: Path) -> None:
    async with connected(url, colour, "autocommit") as client:
        await client.items(*range(10))
        conn, calls = client.conn, client.conn.info.parameter_status("application_name")
        conn.prepare_threshold = 0
        batch = client.rows("FindItemsParams", *((number,) for number in range(10)))
        found: list[int] = []
        for _ in range(2):
            await wait(conn.set_autocommit(situation == "autocommit"))
            found = []
            for function, arguments in (("get_item", {"id": 1}), ("find_items", {"rows": batch})):
                with Trace(conn, tmp_path) as trace:
                    await client(function, **arguments)
                found.append(trace.round_trips())
                await wait(conn.commit())
        assert tuple(found) == ROUND_TRIPS[calls][situation]
