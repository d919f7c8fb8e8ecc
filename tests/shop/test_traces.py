"""Traces: one command shows them, from the request to the effects in other processes, and the file that they share is bounded."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from typer.testing import CliRunner, Result

from shop.cli import app, running
from shop.infrastructure.span_file import SpanFile
from shop.infrastructure.spans import Span, older, read_spans
from shop.local_servers import nats_server
from tests.support.waiting import wait_until

from .web import LINE, PASSWORD, bearer, served

pytestmark = pytest.mark.programs

TRACE = "0af7651916cd43dd8448eb211c80319c"
CHEAP = {"SHOP_PASSWORD_MEMORY_KIB": "8", "SHOP_PASSWORD_PASSES": "1", "SHOP_PASSWORD_LANES": "1"}


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Restore the loggers, which a command configures."""
    handlers, level = logging.getLogger().handlers, logging.getLogger("shop").level
    yield
    logging.getLogger().handlers = handlers
    logging.getLogger("shop").setLevel(level)


def shop(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), input=f"{PASSWORD}\n", env=CHEAP | environment, prog_name="shop")


@contextmanager
def started(environment: dict[str, str], *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Run a command until the end of the block."""
    command = [sys.executable, "-X", "utf8", "-m", "shop.cli", *arguments]
    process = subprocess.Popen(
        command,
        env={**os.environ, **CHEAP, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("sent", [{}, {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}], ids=["no parent", "an unsampled parent"])
def test_one_command_shows_an_order_from_the_request_to_the_projection(database_url: str, tmp_path: Path, sent: dict[str, str]) -> None:
    file = tmp_path / "spans.jsonl"
    with ExitStack() as stack:
        nats = stack.enter_context(nats_server(tmp_path))
        traced = {"NATS_URL": nats.url, "SHOP_TRACING": "file", "SHOP_TRACE_FILE": str(file), **CHEAP}
        environment = {"DATABASE_URL": database_url, **traced}
        relay = stack.enter_context(started(environment, "relay"))
        sales = stack.enter_context(started(environment, "consume", "sales"))
        service = stack.enter_context(served(database_url, **traced))
        body = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
        client = stack.enter_context(httpx.Client(base_url=service.url))
        user = client.post("/users", json=body).json()
        client.headers.update(bearer(client.post("/sessions", json={"email": "ada@example.org", "password": PASSWORD}).json()))
        order: str = client.post("/orders", json={"user_id": user["id"], "lines": [LINE]}).json()["id"]
        paid = client.post(f"/orders/{order}/payment", headers=sent)
        trace_id = paid.headers["x-request-id"]
        assert paid.headers["traceparent"].split("-")[1] == trace_id
        # The client chooses the id of the trace, and not whether there is one.
        assert (trace_id == TRACE) is bool(sent)
        wait_until(lambda: "process sales" in {each.name for each in read_spans(file, [trace_id])}, "the payment never reached the sales")
    shown = shop({"DATABASE_URL": database_url, "SHOP_TRACE_FILE": str(file)}, "--json", "trace", order)
    assert shown.exit_code == 0, shown.output
    spans: list[dict[str, Any]] = json.loads(shown.stdout)["items"]
    [process] = [span for span in spans if span["name"] == "process sales"]
    by_id = {span["span_id"]: span for span in spans}
    way = [process]
    while (parent := by_id.get(way[0]["parent_id"])) is not None:
        way.insert(0, parent)
    assert [(span["name"], span["process"]) for span in way] == [
        ("POST /orders/{order_id}/payment", service.process.pid),
        ("order.pay", service.process.pid),
        ("publish OrderPaid", relay.pid),
        ("process sales", sales.pid),
    ]
    children = [[span["name"] for span in spans if span["parent_id"] == each["span_id"]] for each in way]
    assert children[1] == ["GetOrderWithLines", "SetOrderStatus", "AppendAuditEntry", "AddToOutbox", "publish OrderPaid"]
    assert children[3] == ["EnterInbox", "AddToDailySales"]
    tree = shop({"SHOP_TRACE_FILE": str(file), "DATABASE_URL": "postgres://127.0.0.1:1/none"}, "trace", trace_id).stdout
    # By its id, a trace is found without the database.
    outline = [re.sub(r"(?<=\S)  .*", "", line) for line in tree.splitlines()]
    assert outline[0] == "POST /orders/{order_id}/payment"
    assert {"└── order.pay", "    ├── SetOrderStatus", "    └── publish OrderPaid"} <= set(outline)
    assert re.search(r"AddToDailySales  INSERT daily_sales  [0-9.]+ ms  \+[0-9.]+ ms\n", tree)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of commands in this process."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(running, "_tracer", lambda: provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_a_command_is_a_trace_that_its_events_continue(database_url: str, spans: InMemorySpanExporter) -> None:
    name = ["--first", "Ada", "--last", "Lovelace", "--email", "ada@example.org"]
    ran = shop({"DATABASE_URL": database_url}, "users", "register", *name, "--password-stdin")
    assert ran.exit_code == 0, ran.output
    [command] = spans.get_finished_spans()
    context = command.get_span_context()
    assert (command.name, command.parent) == ("shop users register", None)
    assert context is not None
    trace_id = f"{context.trace_id:032x}"
    with psycopg.connect(database_url) as conn:
        [(event_trace, traceparent)] = conn.execute("SELECT trace_id, traceparent FROM outbox").fetchall()
        assert conn.execute("SELECT DISTINCT trace_id FROM audit_log").fetchall() == [(trace_id,)]
    # Which span of the trace it is depends on whether this process also makes those of use cases.
    assert (event_trace, traceparent.split("-")[1]) == (trace_id, trace_id)


def test_what_cannot_be_shown_is_a_problem_with_its_reason(database_url: str, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": database_url, "SHOP_TRACE_FILE": str(tmp_path / "none.jsonl")}
    unknown = shop(environment, "trace", "00000000-0000-0000-0000-000000000001")
    assert (unknown.exit_code, unknown.stderr) == (1, "shop: there is no order 00000000-0000-0000-0000-000000000001\n")
    untraced = shop(environment, "trace", "a" * 32)
    assert untraced.exit_code == 1
    assert untraced.stderr.endswith(
        f"has no spans of {'a' * 32}; processes write them with SHOP_TRACING=file and the same SHOP_TRACE_FILE\n"
    )
    assert shop(environment, "trace", "x").exit_code == 2
    folder = shop(environment | {"SHOP_TRACE_FILE": str(tmp_path)}, "trace", "a" * 32)
    assert (folder.exit_code, folder.stderr) == (78, f"shop: trace_file: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("path", ["no/file", ".", "file/below"])
def test_a_command_is_carried_out_and_says_so_where_its_spans_cannot_be_written(service_url: str, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    environment = CHEAP | {"DATABASE_URL": service_url, "SHOP_TRACING": "file", "SHOP_TRACE_FILE": str(tmp_path / path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shop.cli", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    counted = run("users", "count")
    assert (counted.returncode, counted.stdout.split()) == (0, ["users", "0"])
    assert counted.stderr.count("spans are lost: the file cannot be written: ") == 1
    # It writes no span, and so not that one cannot be written.
    assert "spans are lost" not in run("trace", "a" * 32).stderr


@pytest.mark.parametrize("write", [str.lower, str.upper], ids=["lower", "upper"])
def test_an_order_and_a_trace_are_found_in_any_case(database_url: str, tmp_path: Path, write: Callable[[str], str]) -> None:
    environment = {"DATABASE_URL": database_url, "SHOP_TRACE_FILE": str(tmp_path / "spans.jsonl")}
    order = shop(environment, "trace", write("abcdef00-0000-0000-0000-00000000000a"))
    assert order.stderr == "shop: there is no order abcdef00-0000-0000-0000-00000000000a\n"
    writer = Writer(tmp_path / "spans.jsonl", 10_000)
    trace = writer.write("kept")
    writer.provider.shutdown()
    assert "kept" in shop(environment, "trace", write(trace)).stdout


class Writer:
    """A process that writes spans to the file."""

    def __init__(self, path: Path, limit: int) -> None:
        self.exporter = SpanFile(path, limit)
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def write(self, name: str) -> str:
        span = self.provider.get_tracer("test").start_span(name)
        span.end()
        return f"{span.get_span_context().trace_id:032x}"


def names(path: Path, traces: list[str]) -> list[str]:
    found: list[Span] = read_spans(path, traces)
    return [span.name for span in found]


def test_the_file_is_bounded_and_what_its_writers_wrote_last_is_kept(tmp_path: Path) -> None:
    path, limit = tmp_path / "spans.jsonl", 10_000
    writers = [Writer(path, limit), Writer(path, limit)]
    traces = [writers[number % 2].write(str(number)) for number in range(100)]
    assert all(each.stat().st_size < limit + 2_000 for each in (path, older(path)))
    kept = names(path, traces)
    assert kept == [str(number) for number in range(100 - len(kept), 100)]
    assert len(kept) >= 10
    assert path.stat().st_mode & 0o777 == 0o600
    for writer in writers:
        writer.provider.shutdown()


def test_queries_of_no_trace_do_not_fill_the_file(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    writer = Writer(path, 10_000)
    tracer = writer.provider.get_tracer("test")
    tracer.start_span("ClaimOutbox", kind=SpanKind.CLIENT).end()
    with tracer.start_as_current_span("request", kind=SpanKind.SERVER) as request:
        tracer.start_span("GetUser", kind=SpanKind.CLIENT).end()
    assert names(path, [f"{request.get_span_context().trace_id:032x}"]) == ["request", "GetUser"]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    writer.provider.shutdown()


def test_a_file_that_cannot_be_written_loses_spans_and_fails_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "spans"
    folder.mkdir()
    path = folder / "spans.jsonl"
    writer = Writer(path, 1000)
    writer.write("first")
    path.unlink()
    folder.rmdir()
    writer.write("lost")
    writer.write("lost")
    folder.mkdir()
    # A line that another process is writing, or could not finish.
    path.write_text('{"name": "torn"', encoding="utf-8")
    path.write_text('{"name": "torn"\n', encoding="utf-8")
    trace = writer.write("kept")
    assert names(path, [trace]) == ["kept"]
    assert caplog.messages == [
        "spans are lost: the file cannot be written: No such file or directory",
        "the file of spans is written again",
    ]
    writer.provider.shutdown()


def test_a_pipe_without_a_reader_loses_spans_and_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "spans"
    os.mkfifo(path)
    writer = Writer(path, 1000)
    writer.write("lost")
    assert caplog.messages == ["spans are lost: the file cannot be written: No such device or address"]
    writer.provider.shutdown()
