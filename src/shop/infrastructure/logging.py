"""Log lines by structlog: for people on a console or for machines in JSON, with the trace of the request, and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from shop.application.context import CURRENT_TRACE
from shop.infrastructure.settings import LogFormat, LogLevel

_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^:/@\s]*):[^@\s]*@")
_SECRET_KEY = re.compile(r"password|passwd|secret|token|authorization", re.IGNORECASE)
_HIDDEN = "***"


def configure_logging(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every line of the standard library's loggers through structlog to stderr.

    Application and domain write to those, and so need not know structlog. What was configured before is replaced.
    """
    machine = log_format is LogFormat.JSON
    renderer: Any = structlog.processors.JSONRenderer() if machine else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    exceptions = structlog.processors.format_exc_info
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=machine, key="at"),
            add_trace,
            exceptions,
            hide_secrets,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("shop").setLevel(level.upper())


def add_trace(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the trace of what the current task works on, if it has one."""
    trace = CURRENT_TRACE.get()
    if trace:
        line["trace"] = trace
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
            return _CREDENTIALS.sub(rf"\g<scheme>\g<user>:{_HIDDEN}@", value)
        case Mapping():
            # What somebody logs is anything.
            return {str(inner): _hide(str(inner), each) for inner, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_hide(key, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
