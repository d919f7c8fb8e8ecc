"""The application over HTTP, for tests: a client without a network, on real PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI

from shop.application.context import Actor, Context
from shop.bootstrap.checks import health_checks
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.result import Ok
from shop.domain.users import Role
from shop.domain.values import UserId
from shop.local_servers import free_port
from shop.web.app import create_app
from shop.web.connections import Connections
from shop.web.middleware import Limits
from shop.web.server import Listening, Server
from shop.web.state import State
from tests.support.waiting import wait_until

from .ports import CheapHasher

# The client logs the URLs that it requests, which the service does not.
logging.getLogger("httpx").disabled = True

PASSWORD = "correct horse"
_KEYS = TemporaryDirectory()
# The key of all applications, which verify each other's access tokens.
KEYS = {"token_keys": _KEYS.name, "token_signing_key": "test"}


def write_key(folder: Path, key_id: str) -> None:
    """Write a new key of access tokens."""
    (folder / f"{key_id}.pem").write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


write_key(Path(_KEYS.name), "test")
LINE = {"sku": "BOOK-1", "title": "A book", "quantity": 2, "unit_price": {"minor": 1250, "currency": "EUR"}}


@dataclass
class Person:
    """A registered user who is logged in."""

    web: Web
    id: str
    headers: dict[str, str]

    async def __call__(self, method: str, path: str, *, headers: Mapping[str, str] = {}, **options: Any) -> httpx.Response:
        return await self.web.client.request(method, path, headers={**self.headers, **headers}, **options)

    async def order(self) -> dict[str, Any]:
        """Place an order."""
        placed = await self("POST", "/orders", json={"user_id": self.id, "lines": [LINE]})
        assert placed.status_code == 201, placed.text
        order: dict[str, Any] = placed.json()
        return order


@dataclass
class Web:
    """A client of the application."""

    app: FastAPI
    shop: Shop
    state: State
    client: httpx.AsyncClient
    people: int = field(default=0)

    async def person(self, role: Role = Role.CUSTOMER) -> Person:
        """Register a user with a role, and log in."""
        self.people += 1
        email = f"user{self.people}@example.org"
        body = {"first_name": "Ada", "last_name": "Lovelace", "email": email, "password": PASSWORD}
        registered = await self.client.post("/users", json=body)
        assert registered.status_code == 201, registered.text
        user_id: str = registered.json()["id"]
        if role is not Role.CUSTOMER:
            granted = await self.shop.users.grant(Context(Actor.system("test"), "pytest"), UserId(uuid.UUID(user_id)), role)
            assert granted == Ok(None)
        return Person(self, user_id, await self.log_in(email))

    async def log_in(self, email: str, password: str = PASSWORD) -> dict[str, str]:
        """Log in, and return the headers of the session."""
        return bearer(await self.tokens(email, password))

    async def tokens(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """Log in, and return the tokens of the session."""
        opened = await self.client.post("/sessions", json={"email": email, "password": password})
        assert opened.status_code == 201, opened.text
        tokens: dict[str, Any] = opened.json()
        return tokens


@asynccontextmanager
async def open_web(database_url: str, redis_url: str | None = None, limits: Limits = Limits(), **settings: Any) -> AsyncGenerator[Web]:  # noqa: B008
    """Compose the service and its application."""
    usual: dict[str, Any] = {**KEYS, "http_rate_limit": 1_000_000, "http_login_limit": 1_000_000}
    loaded = Settings.model_validate({"database_url": database_url, "redis_url": redis_url, **usual, **settings})
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(open_shop(loaded, Adapters(passwords=CheapHasher())))
        state = State([*await stack.enter_async_context(health_checks(loaded)), shop.pool_check])
        app = create_app(shop, state, limits)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))
        yield Web(app, shop, state, client)


def bearer(tokens: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a session."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def problem(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the kind of a problem, which must be complete."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert document["status"] == response.status_code
    assert document["instance"] == f"urn:shop:trace:{response.headers['x-request-id']}"
    return response.status_code, document["type"].removeprefix("urn:shop:problem:")


@dataclass
class Served:
    """The real program, which serves on a port of its own."""

    process: subprocess.Popen[str]
    url: str

    def stop(self) -> tuple[int, str]:
        """Stop it by SIGTERM, and return its exit status and its log."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, log


@contextmanager
def served(database_url: str, *options: str, **environment: str) -> Generator[Served]:
    """Run `shop serve` until the end of the block, with options of the program."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "shop.cli", *options, "serve", "--port", str(port)],
        env={**os.environ, "DATABASE_URL": database_url, "SHOP_HTTP_DRAIN": "0", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers_at(url), "the server does not answer")
        assert process.poll() is None, process.communicate()[1]
        yield Served(process, url)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def answers_at(url: str) -> bool:
    """Return whether a server answers."""
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def listening(web: Web, folder: Path, connections: Connections | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve an application on a real socket, and return a client."""
    path = str(folder / "shop.sock")
    server = Server(web.app, web.state, Listening("", 0, path), drain=0, connections=connections or Connections())
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url="http://shop", transport=httpx.AsyncHTTPTransport(uds=path, verify=False), timeout=60) as client:
        yield client
    server.should_exit = True
    await running
