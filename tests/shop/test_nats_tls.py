"""TLS to NATS: a password is sent to a server that is trusted, and to no other."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sysconfig
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from shop.application.messaging.broker import BrokerUnavailable
from shop.domain.events import UserRegistered
from shop.infrastructure.nats.broker import open_broker
from shop.local_servers import LocalServer, free_port

from .events import USER, message
from .test_notifications import certified


@contextmanager
def secured(folder: Path, port: int, *, is_optional: bool) -> Generator[LocalServer]:
    """Run a NATS server that encrypts, and knows one user."""
    certified(folder)
    monitoring, config = free_port(), folder / "nats.conf"
    config.write_text(
        f"""
        jetstream {{ store_dir: "{folder}" }}
        tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" }}
        authorization {{ user: ada, password: s3cret }}
        allow_non_tls: {str(is_optional).lower()}
        """,
        encoding="utf-8",
    )
    program = shutil.which("nats-server", path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", ""))))
    assert program is not None
    command = [program, "-c", str(config), "-a", "127.0.0.1", "-p", str(port), "-m", str(monitoring)]
    url = f"tls://ada:s3cret@127.0.0.1:{port}"
    server = LocalServer(command, port, url, folder / "nats.log", f"http://127.0.0.1:{monitoring}")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def listener(info: dict[str, object], port: int = 0) -> AsyncGenerator[tuple[int, bytearray]]:
    """Run a server that says this of itself, without TLS, and keep what it is sent."""
    received = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"INFO " + json.dumps({"server_id": "x", "version": "2.10.0", "proto": 1, "max_payload": 1024, **info}).encode() + b"\r\n"
        )
        while chunk := await reader.read(2000):
            received.extend(chunk)
            # The answer to the client's first PING.
            writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1], received


@pytest.mark.parametrize(
    "info", [{}, {"tls_required": False}, {"tls_required": True}, {"auth_required": True, "tls_available": True}], ids=str
)
async def test_nothing_is_sent_to_a_server_without_tls(info: dict[str, object]) -> None:
    async with listener(info) as (port, received), open_broker(f"tls://ada:s3cret@127.0.0.1:{port}") as broker:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(message(UserRegistered(USER)))
        assert b"s3cret" not in received
        assert b"CONNECT" not in received
        # The beginning of TLS.
        assert received[:1] == b"\x16"


@pytest.mark.parametrize("is_optional", [False, True], ids=["the server requires it", "the server offers it"])
async def test_the_connection_is_encrypted_if_the_server_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_optional: bool
) -> None:
    with secured(tmp_path, free_port(), is_optional=is_optional) as server:
        async with open_broker(server.url) as stranger:
            with pytest.raises(BrokerUnavailable, match="certificate"):
                await stranger.publish(message(UserRegistered(USER)))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        async with open_broker(server.url) as broker:
            await broker.publish(message(UserRegistered(USER)))
            text = await asyncio.to_thread(lambda: urlopen(f"{server.monitoring_url}/connz").read())  # noqa: S310 an http URL
            assert [each["tls_version"] for each in json.loads(text)["connections"]] == ["1.3"]


async def test_a_server_without_tls_that_takes_the_place_of_a_trusted_one_is_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    port = free_port()
    with secured(tmp_path, port, is_optional=True) as server:
        async with open_broker(server.url) as broker:
            await broker.publish(message(UserRegistered(USER)))
            server.kill()
            async with listener({}, port) as (_, received), asyncio.timeout(60):
                while not received:  # noqa: ASYNC110 - a stream sets no event
                    await asyncio.sleep(0.01)
                assert received[:1] == b"\x16"
                assert not broker.is_connected
            server.start()
            async with asyncio.timeout(60):
                while not broker.is_connected:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
