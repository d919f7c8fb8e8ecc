"""Log lines by structlog: for people on a console or for machines in JSON, with the trace of the request, and without secrets.

No line holds a secret or what stands in a row, at any level. The shop's own lines name things by their ids. Of an exception that is not
the shop's own a line has the type and the traceback, not the text: psycopg's quotes the failing row, and pydantic's the input.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from shop.application.context import CURRENT_TRACE
from shop.infrastructure.settings import LogFormat, LogLevel

# All before the last @, for a password may hold one, and a NATS token stands where a user would.
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s]*@", re.IGNORECASE)
_CONFIDENTIAL = r"[\w-]*(?:password|passwd|secret|token|authorization|(?:client|server)_key)[\w-]*"
_SECRET_KEY = re.compile(_CONFIDENTIAL, re.IGNORECASE)
# In a URL's query, and in libpq's keywords.
_SECRET_PAIR = re.compile(rf"(?P<key>\b{_CONFIDENTIAL} ?= ?)(?:'(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.IGNORECASE)
_HIDDEN = "***"
# Whose messages go on for several lines.
_WORDY = frozenset({"asyncio", "psycopg"})
# Whose exceptions say no value.
_OWN = "shop."


def configure_logging(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every line of the standard library's loggers through structlog to stderr.

    Application and domain write to those, and so need not know structlog. What was configured before is replaced.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(log_formatter(log_format))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("shop").setLevel(level.upper())
    # It has a line for each try to connect. Who waits for a connection logs when the database is lost, and when it is back.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def log_formatter(log_format: LogFormat) -> logging.Formatter:
    """Return what turns any record, also another library's, into a line without secrets."""
    machine = log_format is LogFormat.JSON
    renderer: Any = structlog.processors.JSONRenderer() if machine else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=machine, key="at"),
            add_trace,
            structlog.processors.ExceptionRenderer(_without_texts),
            shorten,
            hide_secrets,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def add_trace(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the trace of what the current task works on, if it has one."""
    trace = CURRENT_TRACE.get()
    if trace:
        line["trace"] = trace
    return line


def shorten(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the first line of what asyncio and psycopg say. The others are tasks with the errors that ended them, or a server's DETAIL."""
    if str(line.get("logger")).partition(".")[0] in _WORDY:
        line["event"] = next(iter(str(line["event"]).splitlines()), "")
    return line


def hide_secrets(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what is named like a secret, and the credentials of every URL in any text."""
    for key, value in line.items():
        line[key] = _hide(key, value)
    return line


def _hide(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return _HIDDEN
    match value:
        case str():
            return _SECRET_PAIR.sub(rf"\g<key>{_HIDDEN}", _CREDENTIALS.sub(rf"\g<scheme>{_HIDDEN}@", value))
        case Mapping():
            # What somebody logs is anything.
            return {str(inner): _hide(str(inner), each) for inner, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_hide(key, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def _without_texts(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    return "\n".join(_report(exc_info[1]))


def _report(error: BaseException) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _report(earlier)
        yield "which led to:"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    yield f"{name}: {error}" if isinstance(error, OSError) or name.startswith(_OWN) else name
    if isinstance(error, BaseExceptionGroup):
        members: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] of whatever
        for number, member in enumerate(members, start=1):
            yield f"{number} of {len(members)}:"
            yield from _report(member)
