"""Logging by structlog: console or JSON, with the trace of the request, without secrets.

No line contains a secret or a value of a row, at any level. The shop's own lines identify things by id. Of other libraries' exceptions, a
line contains the type and the traceback but not the text: psycopg's quotes the failing row, and pydantic's the input.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cached_property
from importlib import import_module
from types import TracebackType
from typing import Any, TextIO

from shop.application.context import CURRENT_TRACE
from shop.infrastructure.settings.model import LogFormat, LogLevel

# Everything before the last @: a password may contain one, and a NATS token is in the place of a user.
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s]*@", re.IGNORECASE)
_CONFIDENTIAL = r"[\w-]*(?:password|passwd|secret|token|authorization|(?:client|server)_key)[\w-]*"
_SECRET_KEY = re.compile(_CONFIDENTIAL, re.IGNORECASE)
# In a URL's query, and in libpq's keywords.
_SECRET_PAIR = re.compile(rf"(?P<key>\b{_CONFIDENTIAL} ?= ?)(?:'(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.IGNORECASE)
_HIDDEN = "***"
# Their messages have several lines.
_MULTILINE = frozenset({"asyncio", "psycopg"})
# Their exceptions quote no value.
_OWN = "shop."


def configure_logging(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Render the records of the standard library's loggers by structlog, to stderr. Replaces any earlier configuration.

    Application and domain use the standard library's loggers, and so do not depend on structlog.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_FromFirstLine(log_format))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("shop").setLevel(level.upper())
    # It logs each attempt to connect. The callers log when the database is lost, and when it answers again.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def prepare_log_lines() -> None:
    """Import what renders log lines, which otherwise the first one does."""
    import_module("structlog")


class _FromFirstLine(logging.Formatter):
    """The formatter of `log_formatter`, which is built for the first line: most commands log none, and importing structlog takes long."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._log_format = log_format

    @cached_property
    def _formatter(self) -> logging.Formatter:
        return log_formatter(self._log_format)

    def format(self, record: logging.LogRecord) -> str:
        return self._formatter.format(record)


def log_formatter(log_format: LogFormat) -> logging.Formatter:
    """Return the formatter that renders any record, also of other libraries, without secrets."""
    import structlog

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
    """Add the trace of the current task, if it has one."""
    trace = CURRENT_TRACE.get()
    if trace:
        line["trace"] = trace
    return line


def shorten(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep only the first line of messages of asyncio and psycopg. The others contain errors of tasks, or the server's DETAIL."""
    if str(line.get("logger")).partition(".")[0] in _MULTILINE:
        line["event"] = next(iter(str(line["event"]).splitlines()), "")
    return line


def hide_secrets(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values whose key looks like a secret, and the credentials of all URLs."""
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
            # A logged value can be anything.
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
        members: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] of any type
        for number, member in enumerate(members, start=1):
            yield f"{number} of {len(members)}:"
            yield from _report(member)
