"""HTTP/1.1 on a connection: uvicorn's protocol over h11, with limits on time and number, and problems where there is no request yet."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import h11
from starlette.responses import Response
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from shop.application.context import CURRENT_TRACE, new_trace_id
from shop.application.rates import network_of
from shop.web.connections import BACKLOG, Connections
from shop.web.forwarded import Forwarded
from shop.web.problems import Problem, Refused
from shop.web.replies import problem_response

_log = logging.getLogger("shop.http")

# How long a client may take to receive what remains once its connection is being closed.
_CLOSING_SECONDS: Final = 5.0
# Bytes of the headers and the target of a request, or of the trailers of a body.
_HEAD: Final = 65_536
_PIECE: Final = 8192
# The chunks of a body, and one more for each of so many bytes: each takes some microseconds, however small it is.
_CHUNKS: Final = 1000
_CHUNK_BYTES: Final = 64
# RFC 3986, 3.2.2 and 3.2.3.
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(?::[0-9]{0,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?")


class ServerConfig(Config):
    """The configuration of a server whose connections are limited."""

    def __init__(self, app: Forwarded, connections: Connections, **options: Any) -> None:
        super().__init__(app, http=LimitedProtocol, backlog=BACKLOG, **options)
        self.connections = connections
        self.forwarded = app


class _TooManyChunks(h11.RemoteProtocolError):
    """A body in chunks so small that to read them takes longer than to handle it."""


class _CheckedConnection(h11.Connection):
    """h11's side of a connection, which also refuses what proxies may read otherwise than this server."""

    def __init__(self, refuse: Callable[[str], None], finish: Callable[[], None]) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=_HEAD)
        self._refuse = refuse
        self._finish = finish
        self._chunks = 0
        self._bytes = 0

    def next_event(self) -> Any:
        """Return the next event. What is not HTTP is refused here: uvicorn would log a line for each, without a trace."""
        try:
            event = self._checked(super().next_event())
        except _TooManyChunks:
            self._refuse("the body has too many small chunks")
            return h11.NEED_DATA
        except h11.RemoteProtocolError:
            self._refuse("the request is not HTTP/1.1 as RFC 9112 defines it")
            return h11.NEED_DATA
        if isinstance(event, h11.ConnectionClosed):
            # Uvicorn, which knows no such event, would ask for the next one for ever.
            self._finish()
            return h11.NEED_DATA
        return event

    def _checked(self, event: Any) -> Any:
        if isinstance(event, h11.Data):
            self._chunks, self._bytes = self._chunks + event.chunk_start, self._bytes + len(event.data)
            if self._chunks > _CHUNKS + self._bytes // _CHUNK_BYTES:
                raise _TooManyChunks("too many chunks")
        if not isinstance(event, h11.Request):
            return event
        self._chunks, self._bytes = 0, 0
        if not event.http_version.startswith(b"1."):
            raise h11.RemoteProtocolError("another major version")
        names = [name for name, _ in event.headers]
        if b"transfer-encoding" in names and b"content-length" in names:
            raise h11.RemoteProtocolError("Content-Length together with Transfer-Encoding")
        target, headers = event.target, list(event.headers)
        if re.match(rb"https?://", target, re.IGNORECASE):
            # RFC 9112, 3.2.2: any server must accept the absolute form, whose authority replaces Host.
            try:
                parts = urlsplit(target)
            except ValueError:
                raise h11.RemoteProtocolError("invalid request target") from None
            target = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
            headers = [(b"host", parts.netloc) if name == b"host" else (name, value) for name, value in headers]
        if not target.startswith(b"/") and target != b"*" and event.method != b"CONNECT":
            raise h11.RemoteProtocolError("invalid request target")
        if any(name == b"host" and _HOST.fullmatch(value) is None for name, value in headers):
            raise h11.RemoteProtocolError("invalid Host")
        return h11.Request(method=event.method, headers=headers, target=target, http_version=event.http_version)


class LimitedProtocol(H11Protocol):
    """A connection on which a request arrives, is answered and is received within limits of time, or it ends."""

    config: ServerConfig

    def __init__(self, config: ServerConfig, *options: Any, **named: Any) -> None:
        super().__init__(config, *options, **named)
        self.conn = _CheckedConnection(self._malformed, self._finished)
        self._connections = config.connections
        self._deadline: asyncio.TimerHandle | None = None
        self._answered: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, or refuse it."""
        super().connection_made(transport)
        self._wait(self._connections.header_seconds)
        address = None if self.client is None or self.config.forwarded.trusts(self.client[0]) else network_of(self.client[0])
        if not self._connections.add(self, address):
            self._refuse(Problem.TOO_MANY_CONNECTIONS, "too many connections; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        super().connection_lost(exc)
        self._connections.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def data_received(self, data: bytes) -> None:
        """Handle what has arrived in pieces: h11 limits headers that are incomplete, and takes any that arrive at once."""
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                break
            super().data_received(data[start : start + _PIECE])

    def eof_received(self) -> bool:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] uvicorn's keeps no connection
        """Answer what has arrived (RFC 9112, 9.6): a client may close its side of the connection after its last request."""
        self.conn.receive_data(b"")
        self.handle_events()
        return True

    def handle_events(self) -> None:
        """Handle what has arrived."""
        super().handle_events()
        if self._is_answering and self.cycle is not self._answered:
            self._answered = self.cycle
            self._connections.mark(self, is_idle=False)
            self._wait(self._connections.request_seconds + _CLOSING_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._connections.mark(self, is_idle=True)
        self._wait(self._connections.header_seconds)
        super().on_response_complete()

    def _malformed(self, detail: str) -> None:
        self._refuse(Problem.MALFORMED_REQUEST, detail)

    def _finished(self) -> None:
        """Close the connection of a client that sends nothing more, unless an answer does so at its end."""
        if not self._is_answering:
            self.transport.close()

    def close_idle(self) -> None:
        """Close a connection on which no request is being answered, for the sake of another one."""
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: clients may ask for what they like."""

    @property
    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        if self._is_answering or self.transport.is_closing():
            self.transport.abort()
        elif self.conn.trailing_data[0]:
            self._refuse(Problem.REQUEST_INCOMPLETE, f"the request has not arrived within {self._connections.header_seconds:g} s")
        else:
            self.transport.close()
            self._wait(_CLOSING_SECONDS)

    def _refuse(self, problem: Problem, detail: str) -> None:
        """Answer by a problem, if an answer is possible here, and close the connection."""
        if self._is_answering:
            # Its answer, which is not sent any more, must not be mixed with this one.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            trace_id = new_trace_id()
            token = CURRENT_TRACE.set(trace_id)
            try:
                response: Response = problem_response(Refused(problem, detail), {"Connection": "close", "X-Request-Id": trace_id})
                _log.info("refused: %s", detail)
            finally:
                CURRENT_TRACE.reset(token)
            for event in (
                h11.Response(status_code=response.status_code, headers=response.raw_headers, reason=problem.title.encode()),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._wait(_CLOSING_SECONDS)
