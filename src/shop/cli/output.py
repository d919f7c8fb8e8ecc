"""Output of the commands: tables or JSON; results to stdout, everything else to stderr.

What writes tables and notes imports rich: JSON does not need it.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from shop.cli import streams

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.tree import Tree


class ExitCode(IntEnum):
    """Exit codes for scripts: small numbers for outcomes, those of sysexits.h for problems."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNAVAILABLE = 69
    DEFECT = 70
    OUTPUT = 74
    TRY_AGAIN = 75
    SETTINGS = 78
    INTERRUPTED = 130


_PIPE_WIDTH = 240
_CONTROL = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as in RFC 9457."""

    kind: str
    title: str
    status: int
    detail: str
    exit_code: ExitCode

    def document(self, trace_id: str | None, done: Mapping[str, Any]) -> dict[str, object]:
        """Return the problem as a JSON object, with what was done before as members of its own."""
        instance = {} if trace_id is None else {"instance": f"urn:shop:trace:{trace_id}"}
        return {
            "type": f"urn:shop:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **instance,
            **done,
        }


class Output:
    """Writes tables, or JSON."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json

    def record(self, values: Mapping[str, Any]) -> None:
        """Write one record."""
        if self.is_json:
            self._json(values)
            return
        self._result(_printed(_record(values)))

    def listing(self, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], cursor: str | None = None) -> None:
        """Write a list of records, and the cursor of the next page."""
        self._listing(rows, columns, {"next_cursor": cursor}, {"next: --cursor": cursor})

    def pages(self, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], following: str | None, preceding: str | None) -> None:
        """Write a list of records, and the cursors of the pages after and before it."""
        cursors = {"next_cursor": following, "previous_cursor": preceding}
        self._listing(rows, columns, cursors, {"next: --cursor": following, "previous: --cursor": preceding})

    def _listing(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], cursors: Mapping[str, str | None], notes: Mapping[str, str | None]
    ) -> None:
        if self.is_json:
            self._json({"items": list(rows), **cursors})
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for number, column in enumerate(columns):
            # The first column is for copying.
            table.add_column(column.replace("_", " "), overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*(_text(row[column]) for column in columns))
        self._result(_printed(table if rows else "no entries"))
        for note, cursor in notes.items():
            if cursor is not None:
                self.note(f"{note} {cursor}")

    def tree(self, tree: Tree, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a tree, or its records as JSON."""
        if self.is_json:
            self._json({"items": list(rows)})
        else:
            self._result(_printed(tree))

    def note(self, text: str) -> None:
        """Write a note that is not part of the result, unless the output is JSON."""
        if not self.is_json:
            _note(text)

    def problem(self, problem: Problem, trace_id: str | None = None, done: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Write a problem, and what the command has done until then, which goes where its result would have gone."""
        if self.is_json:
            failure = _write(f"{json.dumps(problem.document(trace_id, done), default=str, ensure_ascii=False)}\n")
            if failure is None:
                return
        # Where stdout cannot be written, stderr may have it.
        if done and (self.is_json or _write(_printed(_record(done))) is not None):
            _note(_printed(_record(done)).rstrip("\n"))
        _note(f"shop: {problem.detail}")

    def _json(self, document: Any) -> None:
        self._result(json.dumps(document, default=str, ensure_ascii=False) + "\n")

    def _result(self, text: str) -> None:
        """Write a result, or exit: what the command was to do is done by now."""
        failure = _write(text)
        if failure is not None:
            raise typer.Exit(unwritten("the command was carried out, but its output", failure))


def defect(error: Exception) -> Problem:
    """Return the problem of an unexpected exception, whose text may quote confidential values."""
    return Problem("defect", "Defect", 500, f"{type(error).__name__}: a defect in the program; see the log", ExitCode.DEFECT)


def unwritten(what: str, failure: OSError) -> ExitCode:
    """Write to stderr that stdout cannot be written, and return the exit status. If its reader has gone, end as other programs do."""
    if isinstance(failure, BrokenPipeError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
    _note(f"shop: {what} cannot be written: {failure.strerror}")
    return ExitCode.OUTPUT


def _write(text: str) -> OSError | None:
    """Write to stdout, and return why that is not possible."""
    sys.stdout.write(text)
    return streams.flushed()


def _note(text: str) -> None:
    """Write a line to stderr, if that is possible."""
    from rich.console import Console

    with suppress(OSError):
        Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def _record(values: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for key, value in values.items():
        table.add_row(key.replace("_", " "), _text(value))
    return table


def _printed(what: RenderableType) -> str:
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    # Rich has a treatment of its own for what it cannot write. A pipe has no width.
    console = Console(
        file=StringIO(), force_terminal=is_terminal, highlight=False, markup=False, width=None if is_terminal else _PIPE_WIDTH
    )
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case Mapping():
            # JSON of any content.
            return _text(", ".join(f"{key}={each}" for key, each in value.items()))  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return "\n".join(_text(each) for each in value)  # pyright: ignore[reportUnknownVariableType]
        case _:
            # What others wrote must not move the cursor of a terminal.
            return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
