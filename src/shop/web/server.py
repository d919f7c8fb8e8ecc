"""The server: uvicorn, which stops without losing a request."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from shop.bootstrap import Settings, Shop, health_checks
from shop.web.app import create_app
from shop.web.forwarded import Forwarded
from shop.web.middleware import Limits
from shop.web.state import State

_log = logging.getLogger("shop.http")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens, and whose word it takes for a client's address. A Unix socket takes precedence, and trusts its peer."""

    host: str
    port: int
    unix_socket: str | None = None
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = (IPv4Network("127.0.0.1"),)


class Server(uvicorn.Server):
    """At the first signal the server is no longer ready, but serves for `drain` seconds more, for load balancers to notice; then it stops.

    Requests that it has accepted are answered. A second signal ends the time in which it serves more.
    """

    def __init__(
        self,
        app: FastAPI,
        state: State,
        listening: Listening,
        on_listening: Callable[[str], object] = lambda _: None,
        *,
        drain: float,
        patience: float,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                Forwarded(app, listening.trusted_proxies, is_local=listening.unix_socket is not None),
                host=listening.host,
                port=listening.port,
                # uvicorn does not check that it is an address.
                proxy_headers=False,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                # In whole seconds: each request has its own limit, which ends before.
                timeout_graceful_shutdown=int(patience) + 1,
            )
        )
        self._state = state
        self._listening = listening
        self._on_listening = on_listening
        self._drain = drain
        self._own: tuple[int, int] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and call `on_listening` with the path or the address, whose port is the one that was chosen for 0."""
        here = self._listening
        if here.unix_socket is not None:
            # Not by uvicorn, which opens it to everybody.
            sockets = [_unix_socket(Path(here.unix_socket))]
            self._own = _identity(Path(here.unix_socket))
        await super().startup(sockets)
        self._on_listening(here.unix_socket or f"{here.host}:{self.servers[0].sockets[0].getsockname()[1]}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and answer what was accepted. The file of a Unix socket is removed, unless it is another server's by now."""
        path = self._listening.unix_socket
        if path is not None and self._own is not None:
            _remove(Path(path), self._own)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop at signals until the end of the block. They are not raised again, as uvicorn does: the service is still to be closed."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self._state.is_stopping or not self._drain:
            self.should_exit = True
        else:
            asyncio.get_running_loop().call_later(self._drain, self._exit)
        self._state.is_stopping = True

    def _exit(self) -> None:
        self.should_exit = True


def _unix_socket(path: Path) -> socket.socket:
    """Listen on a Unix socket that the user and the group of the process may use. Replaces the one of a server that is gone."""
    if _identity(path) is not None and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(mask)
    return listening


def _remove(path: Path, own: tuple[int, int]) -> None:
    if _identity(path) == own:
        path.unlink()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@asynccontextmanager
async def open_server(
    shop: Shop, settings: Settings, listening: Listening, on_listening: Callable[[str], object], *, server: type[Server] = Server
) -> AsyncGenerator[Server]:
    """Return a server of the service, to be run in the block."""
    if not settings.cursor_keys.get_secret_value():
        _log.warning("cursor_keys is not set: cursors of pages are signed by a key of this process alone")
    async with health_checks(settings) as checks:
        state = State(checks)
        app = create_app(shop, state, Limits(settings.http_body_limit, settings.http_request_timeout))
        yield server(app, state, listening, on_listening, drain=settings.http_drain, patience=settings.http_request_timeout)
