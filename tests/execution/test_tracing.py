"""Spans and durations of calls, held against OpenTelemetry's semantic conventions for database clients and for PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.servers import Servers
from tests.support.sqlc import Recordings
from tests.support.waiting import wait_until_asleep

from .commands_project import COLOURS, PACKAGES, PROJECT, Client, compile_project, connected, make_database, wait

TRACED = ("traced", "traced direct")
EXPORTER = InMemorySpanExporter()
READER = InMemoryMetricReader()
# Sampled and remote, sampled and local, and so on.
PARENTS = {
    (is_remote, flags): SpanContext(1, 2, is_remote=is_remote, trace_flags=TraceFlags(flags))
    for is_remote, flags in itertools.product((True, False), (TraceFlags.SAMPLED, TraceFlags.DEFAULT))
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, proof_server: str, recordings: Recordings) -> Generator[str]:
    """The URL of a database with the schema; the packages are importable, and OpenTelemetry keeps what they record in memory."""
    compile_project(PROJECT, tmp_path_factory.mktemp("traced") / "project", proof_server, recordings)
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)
    meters = MeterProvider([READER], shutdown_on_exit=False)
    metrics.set_meter_provider(meters)
    yield make_database(proof_server)
    # They stay the process's providers, and keep nothing of other tests; a provider that is shut down logs each of their spans.
    EXPORTER.shutdown()
    meters.shutdown()


@pytest.fixture(params=TRACED)
def url(request: pytest.FixtureRequest, database: str) -> str:
    with psycopg.connect(database) as conn:
        conn.execute("TRUNCATE items, parts, every_type")
    return make_conninfo(database, application_name=request.param)


@pytest.fixture(params=COLOURS)
async def client(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Client]:
    async with connected(url, str(request.param), "autocommit") as found:
        await found.items(1, 2)
        READER.collect()
        EXPORTER.clear()
        yield found


@contextmanager
def current(span: trace.Span) -> Generator[None]:
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield
    finally:
        context.detach(token)


def the_span() -> ReadableSpan:
    (span,) = EXPORTER.get_finished_spans()
    return span


def ids(span: ReadableSpan) -> tuple[int, int]:
    found = span.get_span_context()
    assert found is not None
    return found.span_id, found.trace_id


def durations(summary: str) -> list[HistogramDataPoint]:
    """Return what was recorded of the durations of a query, since the beginning."""
    data = READER.get_metrics_data()
    assert data is not None
    return [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, HistogramDataPoint) and dict(point.attributes or {}).get("db.query.summary") == summary
    ]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = [
    ("get_item", (), {"id": 1}, {"summary": "GetItem", "operation.name": "SELECT", "collection.name": "items"}),
    ("item_ids", (), {}, {"summary": "ItemIds", "operation.name": "SELECT", "collection.name": "items"}),
    ("set_size", (), {"size": 1, "id": 2}, {"summary": "SetSize", "operation.name": "UPDATE", "collection.name": "items"}),
    ("touch", (), {"id": 2}, {"summary": "Touch", "operation.name": "UPDATE", "collection.name": "items"}),
    ("lock_items", (), {}, {"summary": "LockItems", "operation.name": "LOCK TABLE", "collection.name": "items"}),
    ("announce", (), {}, {"summary": "Announce", "operation.name": "NOTIFY"}),
    (
        "add_item",
        (),
        {"item_id": 9, "item_name": "x"},
        {"summary": "AddItem", "operation.name": "CALL", "stored_procedure.name": "add_item"},
    ),
    (
        "refresh_names",
        (),
        {},
        {"summary": "RefreshNames", "operation.name": "REFRESH MATERIALIZED VIEW", "collection.name": "item_names"},
    ),
    (
        "copy_items",
        ("CopyItemsParams", ("8", 8, None, "happy"), ("7", 7, None, "sad")),
        {},
        {"summary": "CopyItems", "operation.name": "COPY", "collection.name": "items"},
    ),
    (
        "rename_items",
        ("RenameItemsParams", ("x", 1), ("y", 2)),
        {},
        {"summary": "BATCH RenameItems", "operation.name": "BATCH UPDATE", "collection.name": "items", "operation.batch.size": 2},
    ),
    (
        "find_items",
        ("FindItemsParams", (1,), (2,), (3,)),
        {},
        {"summary": "BATCH FindItems", "operation.name": "BATCH SELECT", "collection.name": "items", "operation.batch.size": 3},
    ),
    (
        "names_below",
        ("NamesBelowParams",),
        {},
        {"summary": "BATCH NamesBelow", "operation.name": "BATCH SELECT", "collection.name": "items", "operation.batch.size": 0},
    ),
    (
        "rename_items",
        ("RenameItemsParams", ("x", 1)),
        {},
        {"summary": "RenameItems", "operation.name": "UPDATE", "collection.name": "items"},
    ),
    ("stream_items", (), {"first": 0}, {"summary": "StreamItems", "operation.name": "SELECT", "collection.name": "items"}),
]


@pytest.mark.parametrize(("function", "rows", "named", "said"), CALLS, ids=[said["summary"] for *_, said in CALLS])
async def test_a_call_of_every_command_is_one_client_span_and_one_duration(
    client: Client, function: str, rows: tuple[Any, ...], named: dict[str, Any], said: dict[str, Any]
) -> None:
    if function == "lock_items":
        await wait(client.conn.execute("BEGIN"))
    if function.startswith("stream"):
        await client.stream(function, **named)
    else:
        await client(function, *([client.rows(*rows)] if rows else []), **named)
    info = client.conn.info
    constant = getattr(client.module, function.upper())
    expected = {
        "db.system.name": "postgresql",
        "db.namespace": "commands|public",
        "server.address": f"{info.host}/.s.PGSQL.{info.port}",
        "db.query.summary": said["summary"],
        **{f"db.{key}": value for key, value in said.items() if key != "summary"},
    }
    span = the_span()
    assert attributes(span) == {**expected, "db.query.text": constant}
    assert (span.name, span.kind, span.status.status_code, span.events) == (said["summary"], SpanKind.CLIENT, StatusCode.UNSET, ())
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == client.package
    assert span.start_time is not None
    assert span.end_time is not None
    # The size of a batch is no attribute of the metric.
    expected.pop("db.operation.batch.size", None)
    recorded = [point for point in durations(said["summary"]) if point.exemplars and point.exemplars[-1].span_id == ids(span)[0]]
    assert [dict(point.attributes or {}) for point in recorded] == [expected]
    assert recorded[0].exemplars[-1].value == pytest.approx((span.end_time - span.start_time) / 1e9)


async def test_the_histogram_is_in_seconds_with_the_recommended_buckets(client: Client) -> None:
    await client("item_ids")
    data = READER.get_metrics_data()
    assert data is not None
    found = {
        (metric.name, metric.unit, tuple(point.explicit_bounds))
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, HistogramDataPoint)
    }
    assert found == {("db.client.operation.duration", "s", (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10))}


async def test_the_rows_of_an_iterator_are_counted(client: Client) -> None:
    await client("add_items", iter(client.rows("AddItemsParams", *((number, str(number)) for number in range(10, 14)))))
    assert attributes(the_span())["db.operation.batch.size"] == 4
    EXPORTER.clear()
    await client("add_items", iter(client.rows("AddItemsParams", (20, "20"))))
    span = the_span()
    assert (span.name, attributes(span)["db.operation.name"]) == ("AddItems", "INSERT")
    assert "db.operation.batch.size" not in attributes(span)


# --- Failures ----------------------------------------------------------------------------------------------------------


async def test_an_error_of_the_server_has_its_sqlstate_and_no_value(client: Client) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="secret"):
        await client("add_items", client.rows("AddItemsParams", (5, "secret"), (6, "secret")))
    EXPORTER.clear()
    await client("add_items", client.rows("AddItemsParams", (5, "secret")))
    EXPORTER.clear()
    with pytest.raises(psycopg.errors.UniqueViolation, match="secret"):
        await client("add_item", item_id=6, item_name="secret")
    span = the_span()
    found = attributes(span)
    assert (found["db.response.status_code"], found["error.type"]) == ("23505", "23505")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "UniqueViolation: items_name")
    assert "secret" not in span.to_json()
    failed = [dict(point.attributes or {}) for point in durations("AddItem") if "error.type" in (point.attributes or {})]
    assert {(point["db.response.status_code"], point["error.type"]) for point in failed} == {("23505", "23505")}


async def test_an_error_of_the_client_has_its_class(client: Client) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await client("get_item", id=object())
    found = attributes(the_span())
    assert found["error.type"] == "psycopg.ProgrammingError"
    assert "db.response.status_code" not in found
    assert the_span().status.description is None


async def test_a_call_without_its_connection_says_so(client: Client) -> None:
    with pytest.raises(TypeError, match="conn"):
        await wait(client.functions.item_ids())


async def test_a_closed_connection_keeps_its_place(client: Client) -> None:
    await client("item_ids")
    place = attributes(the_span())["server.address"]
    EXPORTER.clear()
    await wait(client.conn.close())
    with pytest.raises(psycopg.OperationalError, match="closed"):
        await client("item_ids")
    found = attributes(the_span())
    assert (found["server.address"], found["error.type"]) == (place, "psycopg.OperationalError")


async def test_a_cancelled_call_has_ended_with_its_cause(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:
        EXPORTER.clear()
        task = asyncio.create_task(client("sleep_each", client.rows("SleepEachParams", (1, 60), (2, 0))))
        await asyncio.to_thread(wait_until_asleep, url)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        span = the_span()
        assert attributes(span)["error.type"] == "asyncio.exceptions.CancelledError"
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)


# --- Streams -----------------------------------------------------------------------------------------------------------


async def test_a_stream_that_is_closed_early_did_not_fail_and_ended_with_its_last_row(client: Client) -> None:
    rows = client.functions.stream_numbers(client.conn, last=100_000)
    assert await wait(anext(rows) if client.colour == "async" else next(rows)) == 1
    read = time.time_ns()
    await wait(rows.aclose() if client.colour == "async" else rows.close())
    span = the_span()
    assert span.end_time is not None
    assert span.end_time <= read
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes(span)


async def test_an_error_in_a_stream_is_the_streams(client: Client) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await client.stream("stream_quotients")
    assert attributes(the_span())["error.type"] == "22012"


async def test_a_stream_that_nobody_reads_is_no_call(client: Client) -> None:
    rows = client.functions.stream_numbers(client.conn, last=3)
    await wait(rows.aclose() if client.colour == "async" else rows.close())
    assert EXPORTER.get_finished_spans() == ()


async def test_what_is_done_between_two_rows_is_not_part_of_the_stream(url: str) -> None:
    tracer = trace.get_tracer("test")
    async with connected(url, "async", "autocommit") as client:
        EXPORTER.clear()
        with tracer.start_as_current_span("request") as request:
            async for _ in client.functions.stream_numbers(client.conn, last=2):
                assert trace.get_current_span() is request
        assert {span.name for span in EXPORTER.get_finished_spans()} == {"StreamNumbers", "request"}


# --- Parents -----------------------------------------------------------------------------------------------------------


async def test_calls_of_concurrent_tasks_are_children_of_their_own_spans(url: str) -> None:
    tracer = trace.get_tracer("test")
    EXPORTER.clear()

    async def request(number: int) -> None:
        async with connected(url, "async", "autocommit") as client:
            with tracer.start_as_current_span(f"request {number}"):
                for _ in range(5):
                    await client("item_ids")

    await asyncio.gather(*(request(number) for number in range(5)))
    spans = EXPORTER.get_finished_spans()
    requests = [ids(span) for span in spans if span.name.startswith("request")]
    parents = [(span.parent and span.parent.span_id, ids(span)[1]) for span in spans if span.name == "ItemIds"]
    assert sorted(parents) == sorted(5 * requests)


@pytest.mark.parametrize("parent", PARENTS)
async def test_only_inside_a_local_span_that_is_not_sampled_there_is_no_span(client: Client, parent: tuple[bool, int]) -> None:
    before = sum(point.count for point in durations("ItemIds"))
    with current(NonRecordingSpan(PARENTS[parent])):
        await client("item_ids")
        await client("item_ids")
    assert len(EXPORTER.get_finished_spans()) == (0 if parent == (False, TraceFlags.DEFAULT) else 2)
    assert sum(point.count for point in durations("ItemIds")) == before + 2


async def test_a_span_that_has_ended_is_still_a_parent(client: Client) -> None:
    parent = trace.get_tracer("test").start_span("request")
    parent.end()
    EXPORTER.clear()
    with current(parent):
        await client("item_ids")
    assert the_span().parent == parent.get_span_context()


# --- Places ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tracing(database: str) -> Any:
    return importlib.import_module(f"{PACKAGES['traced']}._tracing")


def test_a_server_of_the_network_has_its_port_where_it_is_not_the_default(tracing: Any) -> None:
    def place(port: int) -> dict[str, Any]:
        found, _ = tracing.get_place("db.example", port, "shop", "").describe(tracing.Query("X", ""))
        return {key: value for key, value in found.items() if key.startswith(("server", "db.namespace"))}

    assert place(5432) == {"server.address": "db.example", "db.namespace": "shop"}
    assert place(6432) == {"server.address": "db.example", "server.port": 6432, "db.namespace": "shop"}


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ('"$user", public', "public"),
        ('"a, b", public', "a, b"),
        ('"x""y"', 'x"y'),
        ("app,public", "app"),
        ('"$user"', ""),
        ('"", app', "app"),
        ("", ""),
    ],
)
def test_the_first_schema_of_the_search_path_counts(tracing: Any, path: str, schema: str) -> None:
    assert tracing.get_schema(path) == schema


async def test_the_namespace_follows_the_search_path(client: Client) -> None:
    await wait(client.conn.execute("SET search_path = pg_catalog, public"))
    await client("item_ids")
    assert attributes(the_span())["db.namespace"] == "commands|pg_catalog"


def test_before_postgresql_18_the_schema_is_the_one_of_the_connections_options(tracing: Any, servers: Servers) -> None:
    def namespace(**options: str) -> object:
        with psycopg.connect(make_conninfo(servers.conninfo(16), **options)) as conn:
            return tracing.find_place(conn).describe(tracing.Query("X", ""))[0]["db.namespace"]

    name = conninfo_to_dict(servers.conninfo(16)).get("dbname")
    assert (namespace(), namespace(options=r"-c search_path=app,\ public")) == (name, f"{name}|app")


def test_nothing_is_kept_of_a_connection_that_is_gone(tracing: Any, database: str) -> None:
    kept = len(tracing.places)
    with psycopg.connect(database) as conn:
        tracing.find_place(conn)
        conn.execute("SET search_path = public")
        tracing.find_place(conn)
        assert len(tracing.places) == kept + 1
    del conn
    assert len(tracing.places) == kept


# --- Comments ----------------------------------------------------------------------------------------------------------


async def test_whoever_watches_the_server_sees_the_query_by_name(url: str) -> None:
    async with connected(url, "async", "autocommit") as client:
        task = asyncio.create_task(client("sleep_each", client.rows("SleepEachParams", (1, 60))))
        await asyncio.to_thread(wait_until_asleep, url)
        with psycopg.connect(url) as watching:
            found = watching.execute("SELECT query FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchall()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [text.partition("\n")[0] for (text,) in found] == ["SELECT /*file='items.sql',query='SleepEach'*/"]


# --- Without OpenTelemetry ---------------------------------------------------------------------------------------------


def _run(code: str) -> subprocess.CompletedProcess[str]:
    (package,) = importlib.import_module(PACKAGES["traced"]).__path__
    path = str(Path(package).parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_without_the_option_opentelemetry_is_not_imported(database: str) -> None:
    done = _run("import commands_db.items; print([name for name in sys.modules if 'opentelemetry' in name])")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_opentelemetry_the_error_says_what_to_install(database: str) -> None:
    done = _run("sys.modules['opentelemetry'] = None; import commands_traced_db.items")
    assert "needs opentelemetry-api: pip install opentelemetry-api" in done.stderr.splitlines()[-1]


UNRECORDED = """
import psycopg
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from commands_traced_db import _tracing, items

def request():
    dropped = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    context.attach(trace.set_span_in_context(dropped))
    return items.item_ids(conn), items.item_ids(conn)

conn = psycopg.connect({database!r})
request()
print("known without a provider:", len(_tracing.places))
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
request()
[found] = reader.get_metrics_data().resource_metrics
print("recorded with one:", found.scope_metrics[0].metrics[0].data.data_points[0].count)
"""


def test_a_dropped_call_costs_nothing_until_there_is_a_provider_of_meters(database: str) -> None:
    done = _run(f"exec({UNRECORDED.format(database=database)!r})")
    assert (done.stdout, done.stderr) == ("known without a provider: 0\nrecorded with one: 2\n", "")


def test_without_a_provider_calls_are_made(database: str) -> None:
    done = _run(f"import psycopg, commands_traced_db.items as i; print(i.item_ids(conn=psycopg.connect({database!r})))")
    assert done.stderr == ""
