"""Inspects every line that is logged while the tests run, at every level, for text that no line may contain."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from shop.infrastructure.logging import log_formatter
from shop.infrastructure.settings.model import LogFormat

# Every alternative begins with a fixed character, by which `search` skips most of a line.
FORBIDDEN = re.compile(
    r"""
      @(?<=[\w.+-]@)[\w-]+(?:\.[\w-]+)+          # an e-mail address, or a password before a host
    | ://[^\s*"]+@                                # credentials in a URL
    | \$(?:argon2\w*|v[12])\$                     # a password's hash, real or of the cheap hasher
    | \+\d[\d ]{6,}                               # a phone number
    | DETAIL: | CONTEXT: | Failing\ row | Key\ \( # what PostgreSQL reports of rows
    | correct.horse | battery | s3cret | guessed  # the passwords of the tests
    | Lovelace | Hopper | Punched | MUG- | BOOK-  # names and articles of the tests
    """,
    re.VERBOSE,
)


class LogWatch:
    """The lines of all loggers as formatted by the service, whatever levels and handlers a test configures."""

    def __init__(self) -> None:
        self._formatter = log_formatter(LogFormat.JSON)
        self._found: list[str] = []

    def take(self) -> list[str]:
        """Return the lines with forbidden text since the last call."""
        found, self._found = self._found, []
        return found

    @contextmanager
    def watching(self) -> Generator[LogWatch]:
        """Inspect all lines until the end of the block."""
        is_enabled, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers

        def allow(_logger: logging.Logger, _level: int) -> bool:
            return True

        def see(logger: logging.Logger, record: logging.LogRecord) -> None:
            # The service's format takes longer than the search. It masks text, and adds none but that of exceptions.
            message: object = record.msg
            is_failure = record.exc_info or record.stack_info or (isinstance(message, dict) and "exc_info" in message)
            if is_failure or FORBIDDEN.search(f"{record.getMessage()} {record.__dict__}"):
                line = self._formatter.format(record)
                if FORBIDDEN.search(line):
                    self._found.append(line)
            if is_enabled(logger, record.levelno):
                call_handlers(logger, record)

        # At the loggers and not by a handler: tests and service change levels and handlers.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logging.Logger, "isEnabledFor", allow)
            patch.setattr(logging.Logger, "callHandlers", see)
            yield self
