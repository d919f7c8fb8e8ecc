"""The server: uvicorn, which stops without losing a request."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import signal
import socket
import stat
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from shop.bootstrap.checks import health_checks
from shop.bootstrap.service import Shop
from shop.bootstrap.settings import Settings
from shop.web.app import create_app
from shop.web.connections import BACKLOG, Connections, TooFewFiles, most_connections
from shop.web.forwarded import Forwarded
from shop.web.middleware import Limits
from shop.web.protocol import ServerConfig
from shop.web.state import State

__all__ = ["CannotListen", "Listening", "Server", "TooFewFiles", "open_server"]

_log = logging.getLogger("shop.http")

_MINUTE: Final = 60.0
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens, and whose word it takes for a client's address. A Unix socket takes precedence, and trusts its peer."""

    host: str
    port: int
    unix_socket: str | None = None
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = (IPv4Network("127.0.0.1"),)


class CannotListen(Exception):
    """It is impossible to listen there. The message has the options and the reason."""


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
        connections: Connections,
    ) -> None:
        super().__init__(
            ServerConfig(
                Forwarded(app, listening.trusted_proxies, is_local=listening.unix_socket is not None),
                connections,
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
                timeout_graceful_shutdown=int(connections.request_seconds) + 1,
            )
        )
        self._state = state
        self._listening = listening
        self._on_listening = on_listening
        self._drain = drain
        self._own: tuple[int, int] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, or raise `CannotListen`; call `on_listening` with the path or the address, whose port is the one chosen for 0."""
        asyncio.get_running_loop().set_exception_handler(_AcceptFailures())
        here = self._listening
        try:
            # Not by uvicorn, which ends the process if it cannot listen on an address, and opens a Unix socket to everybody.
            if here.unix_socket is None:
                sockets = _sockets(here)
            else:
                sockets = [_unix_socket(here.unix_socket)]
                self._own = _identity(Path(here.unix_socket))
            await super().startup(sockets)
        except (OSError, UnicodeError) as error:
            where = f"--host {here.host} --port {here.port}" if here.unix_socket is None else f"--unix-socket {here.unix_socket}"
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise CannotListen(f"{where}: {reason}") from None
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


def _unix_socket(name: str) -> socket.socket:
    """Listen on a Unix socket that the user and the group of the process may use. Replaces the one of a server that is gone."""
    if not name:
        raise OSError(errno.EINVAL, "the path is empty")
    path = Path(name)
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


def _sockets(here: Listening) -> list[socket.socket]:
    """Listen on every address of the host. Raises OSError, or UnicodeError for a name that cannot be one of a host."""
    if not here.host:
        # It would be all addresses.
        raise OSError(errno.EINVAL, "the host is empty; all addresses are 0.0.0.0 and ::")
    found = socket.getaddrinfo(here.host, here.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened = list[socket.socket]()
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
            # Connections inherit it. asyncio sets it only for sockets made with a protocol, which these are not; without it, the
            # content of an answer waits for the client's delayed acknowledgement of the headers, some 40 ms.
            opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        for each in opened:
            each.close()
        raise
    return opened


class _AcceptFailures:
    """asyncio's handler of errors outside tasks. It logs once a minute that no connection can be accepted, though asyncio tries on."""

    def __init__(self) -> None:
        self._logged_at = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _OUT_OF_RESOURCES:
            loop.default_exception_handler(context)
        elif loop.time() - self._logged_at >= _MINUTE:
            self._logged_at = loop.time()
            _log.error("no connection can be accepted: %s", error.strerror)


@asynccontextmanager
async def open_server(
    shop: Shop, settings: Settings, listening: Listening, on_listening: Callable[[str], object], *, server: type[Server] = Server
) -> AsyncGenerator[Server]:
    """Return a server of the service, to be run in the block."""
    if not settings.cursor_keys.get_secret_value():
        _log.warning("cursor_keys is not set: cursors of pages are signed by a key of this process alone")
    # Read now: what breaks later leaves in use what was read before.
    shop.sessions.published_keys()
    async with health_checks(settings) as checks:
        state = State([*checks, shop.pool_check])
        app = create_app(shop, state, Limits(settings.http_body_limit, settings.http_request_timeout))
        connections = Connections(
            most_connections(settings.http_connections, 3 * settings.pool_max_size),
            settings.http_connections_per_address,
            settings.http_header_timeout,
            settings.http_request_timeout,
        )
        yield server(app, state, listening, on_listening, drain=settings.http_drain, connections=connections)
