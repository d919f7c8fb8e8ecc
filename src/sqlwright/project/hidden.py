"""Mistakes that the errors of sqlc hide: it reads nothing of a file with a syntax error but that, and never reads our annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.resolve.copying import Unfit, copied_columns
from sqlwright.resolve.package import unfit_copy, unsupported_command
from sqlwright.sql.annotations import read_annotations
from sqlwright.sql.macros import read_statement
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.strays import check_strays

_COMMAND = re.compile(r"name:\s*\S+\s+(?P<command>:\w+)")
RENAME = "every query of a package becomes a function: rename one of them."


def hidden_mistakes(queries: Sequence[QuerySource], reported: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield the mistakes in the name lines, annotations and copies of all files of a package that are not `reported`."""
    lines = {(each.place.file, each.place.line) for each in reported if each.place}
    yield from check_strays(queries)
    names: set[str] = set()
    for source in queries:
        if source.sqlc_only:
            continue
        yield from read_annotations(source).diagnostics
        found = _COMMAND.search(source.name_line)
        command = found["command"] if found else ""
        if (source.file, source.line) not in lines:
            yield from unsupported_command(command, source) if command else ()
            if source.name in names:
                yield _repeated_name(source)
        names.add(source.name)
        of_statement = range(source.text_line, source.text_line + source.text.count("\n") + 1)
        if command == ir.Command.COPYFROM and not any((source.file, line) in lines for line in of_statement):
            reading = read_statement(source.text, {})
            copied = copied_columns(reading.sql)
            if isinstance(copied, Unfit):
                yield unfit_copy(source, reading, copied)


def _repeated_name(source: QuerySource) -> Diagnostic:
    return Diagnostic(Code.REFUSED_BY_SQLC, f"duplicate query name: {source.name}", source.header_place(), help=RENAME)
