"""What happens around every request: trace, log line, metrics, and limits on rates and time."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.application.context import CURRENT_TRACE, new_trace_id
from shop.application.rates import RateLimit, network_of
from shop.web.problems import Problem, Refused
from shop.web.replies import problem_response
from shop.web.state import State

_log = logging.getLogger("shop.http")
_tracer = trace.get_tracer("shop.http")

# Those who ask them ask regularly, and must get an answer when the service is busy.
_UNLIMITED: Final = frozenset({"/livez", "/readyz", "/metrics"})

_JSON: Final = re.compile(r"\s*application/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
# What remains of a body that is not read is not worth receiving.
# Of a request whose client went away before there was an answer, as in the logs of other servers; it is never sent.
_CLIENT_GONE: Final = 499
_CLOSE: Final = {"Connection": "close"}


class Observed:
    """Traces, logs and counts requests. The trace id is also the request id, and continues `traceparent`, if tracing is on."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "OTHER"
        # Without tracestate and baggage, which nothing here uses: OpenTelemetry logs the text of invalid ones.
        sent = Headers(scope=scope).getlist("traceparent")
        parent = propagate.extract({"traceparent": sent[0]} if len(sent) == 1 else {})
        started, status = time.perf_counter(), _CLIENT_GONE
        with (
            _tracer.start_as_current_span(method, parent, SpanKind.SERVER, {"http.request.method": method}) as span,
            self._state.metrics.in_flight.track_inprogress(),
        ):
            trace_id = _trace_id(span)
            # Also for what the server logs after the application has returned: the task has no other request.
            CURRENT_TRACE.set(trace_id)

            async def answer(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    headers = MutableHeaders(scope=message)
                    headers["X-Request-Id"] = trace_id
                    if span.is_recording():
                        propagate.inject(headers)
                    if self._state.is_stopping:
                        # So that the client opens its next connection to a server that stays.
                        headers["Connection"] = "close"
                await send(message)

            try:
                await self._app(scope, receive, answer)
            except Exception:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                raise
            finally:
                self._record(span, method, getattr(scope.get("route"), "path", "unknown"), status, time.perf_counter() - started)

    def _record(self, span: Span, method: str, route: str, status: int, seconds: float) -> None:
        metrics = self._state.metrics
        metrics.requests.labels(method, route, status).inc()
        metrics.seconds.labels(method, route).observe(seconds)
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        _log.info("%s %s: %d in %.1f ms", method, route, status, seconds * 1000)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bytes of a body, and the seconds of a request."""

    body: int = 262_144
    seconds: float = 30.0


class Limited:
    """Limits the requests of an address, their bodies, and the time of each, and answers defects with a problem."""

    def __init__(self, app: ASGIApp, rates: RateLimit, limits: Limits) -> None:
        self._app = app
        self._rates = rates
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        response = await self._refusal(scope, receive, answer)
        if response is not None and not has_begun:
            await response(scope, receive, send)

    async def _refusal(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        limit = asyncio.timeout(self._limits.seconds)
        try:
            async with limit:
                # No operation reads cookies, and the framework parses them, in a time that is quadratic in many releases of Python.
                scope["headers"] = [each for each in scope["headers"] if each[0] != b"cookie"]
                headers = Headers(scope=scope)
                wait = None if scope["path"] in _UNLIMITED else await self._rates.hit(_address(scope))
                if wait is not None:
                    return problem_response(Refused(Problem.TOO_MANY_REQUESTS, "too many requests; try again later", retry_after=wait))
                if {each.strip().lower() for each in ",".join(headers.getlist("content-encoding")).split(",")} - {"", "identity"}:
                    return problem_response(Refused(Problem.UNSUPPORTED_MEDIA_TYPE, "no Content-Encoding is supported"), _CLOSE)
                # h11 has checked that it is a number. Before the body is asked for (100 Continue).
                is_announced = int(headers.get("content-length", "0")) > self._limits.body
                body = None if is_announced else await self._body(receive)
                if body is None:
                    return problem_response(Refused(Problem.BODY_TOO_LARGE, f"the body has more than {self._limits.body} bytes"), _CLOSE)
                if body and not _is_json(headers.get("content-type", ""), body):
                    return problem_response(Refused(Problem.UNSUPPORTED_MEDIA_TYPE, "the body is not application/json in UTF-8"))
                await self._app(scope, _received(body, receive), send)
        except TimeoutError:
            if not limit.expired():
                return _defect()
            # A commit that had begun was finished, so the outcome is open for the client.
            detail = (
                f"not answered within {self._limits.seconds:g} s; a commit that had begun was finished: check, or repeat under the same key"
            )
            return problem_response(Refused(Problem.TIMEOUT, detail))
        except ClientDisconnect:
            return None
        except Exception:  # noqa: BLE001 no error may end the connection without an answer
            return _defect()
        return None

    async def _body(self, receive: Receive) -> bytes | None:
        """Receive the body, or None if it is too large. Here, so that a slow one is within the time, and never parsed in part."""
        chunks, size, is_more = list[bytes](), 0, True
        while is_more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
            is_more, size = message.get("more_body", False), size + len(chunks[-1])
            if size > self._limits.body:
                return None
        return b"".join(chunks)


def _is_json(content_type: str, body: bytes) -> bool:
    """Return whether a body is said to be JSON, and is in UTF-8. The parser reads UTF-16 and UTF-32, too, whatever the header says."""
    is_utf_8 = all(charset.lower() in {"utf-8", "utf8"} for charset in _CHARSET.findall(content_type))
    return is_utf_8 and _JSON.match(content_type) is not None and json.detect_encoding(body).startswith("utf-8")


def _received(body: bytes, receive: Receive) -> Receive:
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        message, first = first, None
        return message

    return again


def _defect() -> Response:
    _log.exception("defect in the program or the schema")
    return problem_response(Refused(Problem.DEFECT, "a defect in the program; see the log"))


def _address(scope: Scope) -> str:
    client: tuple[str, int] | None = scope.get("client")
    # A Unix socket has no addresses.
    return network_of(client[0]) if client else "local"


def _trace_id(span: Span) -> str:
    found = span.get_span_context()
    return f"{found.trace_id:032x}" if span.is_recording() and found.is_valid else new_trace_id()
