"""The server: uvicorn, which stops without losing a request."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from shop.web.state import State

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

    def __init__(self, app: FastAPI, state: State, listening: Listening, *, drain: float, patience: float) -> None:
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
        self._drain = drain

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
