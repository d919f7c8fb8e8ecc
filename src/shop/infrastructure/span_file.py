"""A file of spans that the processes of the service share: each span is a line of JSON, as OpenTelemetry's SDK writes it."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from shop.application.outages import Outage
from shop.infrastructure.spans import older

_log = logging.getLogger("shop.tracing")


def _is_idle(span: ReadableSpan) -> bool:
    """Return whether a span is a query of no trace, as of a relay that looks for events: they would fill the file while nothing happens."""
    return span.parent is None and span.kind is SpanKind.CLIENT


class SpanFile(SpanExporter):
    """Appends spans to the file. One that has `limit` bytes becomes the older file, which replaces the one before it.

    Lines of several processes do not mix: each is appended by one call of the system.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Open nothing yet: the first spans open the file, and who writes none needs none."""
        self._path = path
        self._limit = limit
        self._outage = Outage(_log, "spans are lost: the file cannot be written", "the file of spans is written again")
        self._file: int | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append spans. A failure is logged, and never fails what is traced."""
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans if not _is_idle(span))
        try:
            os.write(self._found(), lines.encode())
        except OSError as error:
            self._outage.begin(error.strerror)
            return SpanExportResult.FAILURE
        self._outage.end()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)

    def _open(self) -> int:
        # Its statements and ids are for operators alone. Without waiting: a pipe is opened when it has a reader.
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)

    def _found(self) -> int:
        """Return the current file, which is opened if none is open yet, or that one is an older file by now, or is full."""
        before = self._file
        if before is not None and self._is_current(before):
            if os.fstat(before).st_size < self._limit:
                return before
            # Released when the file is closed. Who waited for it finds that this is the older file.
            fcntl.flock(before, fcntl.LOCK_EX)
            if self._is_current(before):
                self._path.replace(older(self._path))
        self._file = opened = self._open()
        if before is not None:
            os.close(before)
        return opened

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(file))
        except FileNotFoundError:
            return False
