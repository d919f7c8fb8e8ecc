"""The server: uvicorn, which stops without losing a request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from shop.bootstrap import Settings, Shop, health_checks
from shop.web.app import create_app
from shop.web.middleware import Limits
from shop.web.state import State

_log = logging.getLogger("shop.http")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens, and whose word it takes for a client's address. A Unix socket takes precedence."""

    host: str
    port: int
    unix_socket: str | None = None
    trusted_proxies: str = "127.0.0.1"


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
                app,
                host=listening.host,
                port=listening.port,
                uds=listening.unix_socket,
                forwarded_allow_ips=listening.trusted_proxies,
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and call `on_listening` with the path or the address, whose port is the one that was chosen for 0."""
        await super().startup(sockets)
        here = self._listening
        self._on_listening(here.unix_socket or f"{here.host}:{self.servers[0].sockets[0].getsockname()[1]}")

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
