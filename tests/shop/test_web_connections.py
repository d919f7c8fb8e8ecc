"""Connections of clients: limits on their time and number, and what is not HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shop.bootstrap.settings import trusted_networks
from shop.web.connections import Connections
from shop.web.server import Listening, Server

from .web import Web, open_web, served

pytestmark = [pytest.mark.long, pytest.mark.programs]

UNFINISHED = b"GET /livez HTTP/1.1\r\nX: "
LIVE = b"GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest_asyncio.fixture
async def web(database_url: str) -> AsyncIterator[Web]:
    """A client of the application."""
    async with open_web(database_url) as web:
        yield web


@asynccontextmanager
async def serving(web: Web, connections: Connections, trusted: str = "127.0.0.1") -> AsyncGenerator[tuple[Server, int]]:
    """Serve on a port until the end of the block."""
    addresses = list[str]()
    listening = Listening("127.0.0.1", 0, trusted_proxies=trusted_networks(trusted))
    server = Server(web.app, web.state, listening, addresses.append, drain=0, connections=connections)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 uvicorn sets no event
        await asyncio.sleep(0.01)
    yield server, int(addresses[0].rpartition(":")[2])
    server.should_exit = True
    await running


@asynccontextmanager
async def on_port(web: Web, connections: Connections, trusted: str = "127.0.0.1") -> AsyncGenerator[int]:
    """Serve on a port, which it returns, until the end of the block."""
    async with serving(web, connections, trusted) as (_, port):
        yield port


async def connected(port: int, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read a response, which has a length."""
    async with asyncio.timeout(30):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split(" ")[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def answered(port: int, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request, and return the response."""
    reader, writer = await connected(port, sent)
    try:
        return await answer(reader)
    finally:
        writer.close()


def kind(headers: dict[str, str], body: bytes) -> str:
    """Return the kind of a problem, which must be complete."""
    assert headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(body)
    assert document["instance"] == f"urn:shop:trace:{headers['x-request-id']}"
    return str(document["type"]).removeprefix("urn:shop:problem:")


# --- Number and time ----------------------------------------------------------------------------------------------------


async def test_connections_that_send_nothing_keep_nobody_out(web: Web) -> None:
    async with on_port(web, Connections(most=20)) as port:
        held = [await connected(port, UNFINISHED) for _ in range(60)]
        assert (await answered(port, LIVE))[0] == 200
        for _, writer in held:
            writer.close()


async def test_no_part_of_an_answer_waits_for_an_acknowledgement(web: Web) -> None:
    async with serving(web, Connections(most=16)) as (server, port):
        reader, writer = await connected(port, LIVE)
        await answer(reader)
        (connection,) = server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


async def test_who_waits_for_an_answer_is_not_displaced(web: Web) -> None:
    async with on_port(web, Connections(most=16)) as port:
        # Each with a body that has not arrived.
        begun = b"POST /users HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        busy = [await connected(port, begun) for _ in range(16)]
        for reader, _ in busy:
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        status, headers, body = await answered(port, b"")
        assert (status, kind(headers, body)) == (503, "too-many-connections")
        for reader, writer in busy:
            writer.write(b"{}")
            assert (await answer(reader))[0] == 415
            writer.close()


@pytest.mark.parametrize(("trusted", "expected"), [("192.0.2.1", 503), ("127.0.0.1", 200)], ids=["client", "proxy"])
async def test_an_address_has_a_limit_of_its_own_unless_it_is_a_proxy(web: Web, trusted: str, expected: int) -> None:
    async with on_port(web, Connections(most_of_address=3), trusted) as port:
        held = [await connected(port, UNFINISHED) for _ in range(3)]
        # What is refused is answered before it is sent.
        assert (await answered(port, LIVE if expected == 200 else b""))[0] == expected
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    ("sent", "expected"), [(b"", None), (UNFINISHED, 408), (LIVE, 200), (LIVE + b"G", 200)], ids=["nothing", "a part", "one", "more"]
)
async def test_a_connection_on_which_no_request_arrives_ends(web: Web, sent: bytes, expected: int | None) -> None:
    async with on_port(web, Connections(header_seconds=0.2)) as port:
        reader, writer = await connected(port, sent)
        # It never sends its end.
        async with asyncio.timeout(30):
            received = await reader.read()
        assert (int(received.split(b" ")[1]) if received else None) == expected
        writer.close()


async def test_headers_that_arrive_byte_by_byte_do_not_extend_their_time(web: Web) -> None:
    async with on_port(web, Connections(header_seconds=0.3)) as port:
        reader, writer = await connected(port, UNFINISHED)
        reading = asyncio.create_task(reader.read())
        async with asyncio.timeout(30):
            while not reading.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        assert reading.result().startswith(b"HTTP/1.1 408 ")
        writer.close()


def test_a_server_without_enough_open_files_says_so(database_url: str) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    with served(database_url) as server:
        assert server.process.poll() is None
    ran = subprocess.run(
        [sys.executable, "-m", "shop.cli", "--json", "serve", "--port", "0"],
        env={"DATABASE_URL": database_url, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=few,
        timeout=60,
    )
    assert (ran.returncode, json.loads(ran.stdout)["type"]) == (78, "urn:shop:problem:settings")
    assert "ulimit -n" in ran.stdout


def test_failures_to_accept_are_one_line_of_the_log(database_url: str) -> None:
    with served(database_url) as server:
        assert server.process.stderr is not None
        process_id, host, port = server.process.pid, "127.0.0.1", int(server.url.rpartition(":")[2])
        before = resource.prlimit(process_id, resource.RLIMIT_NOFILE)
        highest = max(int(each.name) for each in Path(f"/proc/{process_id}/fd").iterdir())
        resource.prlimit(process_id, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        # The first ones fill what is free below.
        clients = [socket.create_connection((host, port)) for _ in range(64)]
        failed = "no connection can be accepted: Too many open files"
        while failed not in (line := server.process.stderr.readline()):
            assert line, "the server has ended"
        resource.prlimit(process_id, resource.RLIMIT_NOFILE, before)
        for each in clients:
            each.close()
        status, log = server.stop()
    assert (status, failed in log, "Traceback" in log) == (0, False, False)


# --- What is not HTTP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/0.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET livez HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"GET http://[/livez HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"POST /users HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /users HTTP/1.1\r\nHost: shop\r\nContent-Length: +2\r\n\r\n{}",
        b"POST /users HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_a_problem_and_ends_the_connection(web: Web, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with on_port(web, Connections()) as port:
        reader, writer = await connected(port, sent)
        status, headers, body = await answer(reader)
        assert (status, kind(headers, body), headers["connection"]) == (400, "malformed-request", "close")
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "refused: the request is not HTTP/1.1 as RFC 9112 defines it" in caplog.messages


ENDS = b"GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
POSTED = b"POST /nothing HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (LIVE, [200]),
        (ENDS, [200]),
        (POSTED + b"{}", [404]),
        (LIVE * 3, [200] * 3),
        (b"", []),
        (UNFINISHED, [400]),
        (POSTED + b"{", [400]),
        (LIVE + POSTED + b"{", [200, 400]),
    ],
)
async def test_a_client_that_closes_its_side_is_answered_what_it_has_sent(
    web: Web, sent: bytes, expected: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    async with on_port(web, Connections()) as port:
        reader, writer = await connected(port, sent)
        writer.write_eof()
        assert [(await answer(reader))[0] for _ in expected] == expected
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
    assert caplog.messages == []


@pytest.mark.parametrize("is_reset", [False, True])
async def test_a_client_that_has_gone_is_no_error_of_the_server(web: Web, caplog: pytest.LogCaptureFixture, *, is_reset: bool) -> None:
    async with on_port(web, Connections()) as port:
        for sent in (LIVE, LIVE * 3, POSTED + b"{}", POSTED + b"{", UNFINISHED):
            _, writer = await connected(port, sent)
            if is_reset:
                await asyncio.sleep(0)
                writer.transport.abort()
            writer.close()
        assert (await answered(port, LIVE))[0] == 200
        metrics = (await web.client.get("/metrics")).text
    assert caplog.messages == []
    assert re.search(r'status="500"\} [^0]', metrics) is None


@pytest.mark.parametrize("version", [b"1.0", b"1.2"])
async def test_other_minor_versions_are_answered(web: Web, version: bytes) -> None:
    async with on_port(web, Connections()) as port:
        assert (await answered(port, b"GET /livez HTTP/" + version + b"\r\nHost: shop\r\n\r\n"))[0] == 200


@pytest.mark.parametrize("target", [b"http://shop/livez", b"HTTP://elsewhere:80/livez?a=b", b"/livez"])
async def test_a_target_may_be_in_absolute_form(web: Web, target: bytes) -> None:
    async with on_port(web, Connections()) as port:
        assert (await answered(port, b"GET " + target + b" HTTP/1.1\r\nHost: shop\r\n\r\n"))[0] == 200


@pytest.mark.parametrize("added", [b"", b"Expect: 100-continue\r\n"])
async def test_a_length_that_is_too_large_is_refused_before_the_body(web: Web, added: bytes) -> None:
    async with on_port(web, Connections()) as port:
        status, headers, body = await answered(
            port, b"POST /users HTTP/1.1\r\nHost: shop\r\n" + added + b"Content-Length: 10000000000\r\n\r\n"
        )
        assert (status, kind(headers, body)) == (413, "body-too-large")


CHUNKED = b"POST /nothing HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(("size", "number", "expected"), [(1, 1000, 404), (1, 2000, 400), (64, 4000, 404)])
async def test_a_body_has_a_number_of_chunks_that_its_length_justifies(web: Web, size: int, number: int, expected: int) -> None:
    chunks = b"%x\r\n" % size + b" " * size + b"\r\n"
    async with on_port(web, Connections()) as port:
        status, headers, body = await answered(port, CHUNKED + chunks * number + b"0\r\n\r\n")
        assert (status, kind(headers, body)) == (expected, "no-such-resource" if expected == 404 else "malformed-request")
        # The next body has its own number.
        reader, writer = await connected(port, (CHUNKED + (b"1\r\n \r\n" * 900) + b"0\r\n\r\n") * 2)
        assert [(await answer(reader))[0] for _ in range(2)] == [404, 404]
        writer.close()


@pytest.mark.parametrize("room", [60_000, 80_000])
@pytest.mark.parametrize("part", [b"a:\r\n", b"Cookie: a\r\n"])
async def test_headers_and_trailers_have_a_length_however_they_arrive(web: Web, part: bytes, room: int) -> None:
    many = part * (room // len(part))
    expected = "no-such-resource" if room < 65_536 else "malformed-request"
    async with on_port(web, Connections()) as port:
        for sent in (b"GET /nothing HTTP/1.1\r\nHost: shop\r\n" + many + b"\r\n", CHUNKED + b"0\r\n" + many + b"\r\n"):
            _, headers, body = await answered(port, sent)
            assert kind(headers, body) == expected


async def test_no_text_of_trace_headers_is_logged(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    for headers in ({"traceparent": parent, "tracestate": "s3cret!"}, {"traceparent": "s3cret"}, {"baggage": "s3cret=" + "x" * 9000}):
        assert (await web.client.get("/livez", headers=headers)).status_code == 200
    assert not [line for line in caplog.messages if re.search("s3cret", line)]
