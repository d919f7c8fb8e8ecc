"""TLS to PostgreSQL and Redis: what requires it sends nothing to a server without it, or with a certificate that is not trusted."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shop.application.reads.cache import CacheUnavailable
from shop.bootstrap.administration import DatabaseNotReady
from shop.bootstrap.settings import Settings
from shop.infrastructure.postgres.pool import open_pool
from shop.infrastructure.redis.cache_store import open_cache_store
from shop.infrastructure.redis.rates import open_rate_limit
from tests.support.servers import DEBIAN, make_folder

from .replication import Server
from .test_notifications import certified


def required(database_url: str, redis_url: str) -> tuple[str, str]:
    """Return the URLs, which `require_tls` accepts."""
    settings = Settings.model_validate({"database_url": database_url, "redis_url": redis_url, "require_tls": True})
    assert settings.redis_url is not None
    return settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()


@contextmanager
def postgres_with_tls() -> Generator[tuple[Server, Path]]:
    """Run PostgreSQL with a certificate, and yield it with the certificate. Skip where there is none: the embedded one has no TLS."""
    if not DEBIAN.exists():
        pytest.skip(f"{DEBIAN} is missing: it is PostgreSQL with TLS")
    folder = make_folder("shop-tls-")
    folder.chmod(0o755)
    certified(folder)
    (folder / "key.pem").chmod(0o600)
    if os.geteuid() == 0:
        for path in (folder, folder / "key.pem"):
            shutil.chown(path, "nobody")
    server = Server(DEBIAN, folder / "data")
    try:
        server.run("initdb", "-A", "trust", "-U", "postgres", "-E", "utf8", "--locale=C", "--no-sync")
        server.start(f"-c ssl=on -c ssl_cert_file={folder}/cert.pem -c ssl_key_file={folder}/key.pem")
        yield server, folder / "cert.pem"
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def test_connections_to_postgresql_are_encrypted_if_the_server_is_trusted(tmp_path: Path) -> None:
    certified(tmp_path)
    with postgres_with_tls() as (server, certificate):
        urls = [f"{server.url.replace('disable', 'verify-full')}&sslrootcert={each}" for each in (certificate, tmp_path / "cert.pem")]
        trusted, stranger = (required(each, "rediss://cache")[0] for each in urls)
        async with open_pool(trusted, is_required=False) as pool, pool.connection() as conn:
            cur = await conn.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert await cur.fetchone() == (True, "TLSv1.3")
        with pytest.raises(DatabaseNotReady, match="certificate"):
            async with open_pool(stranger):
                pass


@asynccontextmanager
async def serving(
    converse: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]], context: ssl.SSLContext | None = None
) -> AsyncGenerator[int]:
    """Run a server, and yield its port. At the end, its connections are closed."""
    handlers = set[asyncio.Task[None]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with suppress(OSError):
            await converse(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*handlers)


@asynccontextmanager
async def plain(answer: bytes) -> AsyncGenerator[tuple[int, bytearray]]:
    """Run a server without TLS, which answers this to anything. Yield its port and what it is sent."""
    received = bytearray()

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(2000):
            received.extend(chunk)
            writer.write(answer)

    async with serving(answer_all) as port:
        yield port, received


async def test_nothing_is_sent_to_a_postgresql_without_tls() -> None:
    # The answer of a server without TLS to the request for it.
    async with plain(b"N") as (port, received):
        url, _ = required(f"postgres://ada:s3cret@127.0.0.1:{port}/shop?sslmode=verify-full&sslrootcert=system", "rediss://cache")
        with pytest.raises(DatabaseNotReady, match="does not support SSL"):
            async with open_pool(url):
                pass
        # The request for TLS, and perhaps the one for Kerberos' encryption: each has 8 bytes.
        assert len(received) in {8, 16}


async def test_nothing_is_sent_to_a_redis_without_tls() -> None:
    async with plain(b"+OK\r\n") as (port, received):
        _, url = required("postgres:///shop?host=/run", f"rediss://ada:s3cret@127.0.0.1:{port}")
        async with open_cache_store(url) as store:
            with pytest.raises(CacheUnavailable):
                await store.probe()
        async with open_rate_limit("rate", 1, url) as limit:
            assert await limit.hit("ada") is None
            # The process counts by itself.
            assert await limit.hit("ada") is not None
        assert received[:1] == b"\x16"
        assert b"s3cret" not in received
        assert b"AUTH" not in received


@asynccontextmanager
async def encrypting(redis_url: str, context: ssl.SSLContext) -> AsyncGenerator[int]:
    """Run a proxy that ends the TLS in front of a Redis, and yield its port. The Redis of the tests has no TLS."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(2000):
            writer.write(chunk)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection(urlsplit(redis_url).hostname, urlsplit(redis_url).port)
        await asyncio.gather(copy(reader, back), copy(to, writer), return_exceptions=True)
        back.close()
        await back.wait_closed()

    async with serving(forward, context) as port:
        yield port


async def test_connections_to_redis_are_encrypted_if_the_server_is_trusted(redis_url: str, tmp_path: Path) -> None:
    async with encrypting(redis_url, certified(tmp_path)) as port:
        _, url = required("postgres:///shop?host=/run", f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/cert.pem")
        async with open_cache_store(url) as store:
            await store.probe()
        async with open_rate_limit("rate", 1, url) as limit:
            assert await limit.hit("tls") is None
            assert await limit.hit("tls") is not None
        async with open_cache_store(f"rediss://127.0.0.1:{port}") as stranger:
            with pytest.raises(CacheUnavailable, match="certificate"):
                await stranger.probe()


@pytest.mark.parametrize("url", ["redis://127.0.0.1", "redis://localhost/1", "rediss://ada:s3cret@cache"])
async def test_a_url_of_redis_needs_no_port(url: str) -> None:
    async with open_rate_limit("rate", 1, url):
        pass
