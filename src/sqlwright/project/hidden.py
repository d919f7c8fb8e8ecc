"""Mistakes that the errors of sqlc hide: it reads nothing of a file with a syntax error but that, and never reads our annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlwright import ir
from sqlwright.assemble.claims import ONE_ROW
from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.ir.naming import Identifier
from sqlwright.resolve.copying import Unfit, copied_columns
from sqlwright.resolve.package import misplaced_annotation, misused_annotations, unfit_copy, unsupported_command
from sqlwright.resolve.variation import unknown_parameters
from sqlwright.sql.annotations import AnnotatedDoc, read_annotations
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.macros import read_statement
from sqlwright.sql.refused_variants import refusals_in_text
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.strays import check_strays

_COMMAND = re.compile(r"name:\s*\S+\s+(?P<command>:\w+)")
_SYNTAX = "syntax error"
# What is reported of statements that can be read.
_READ = frozenset({Code.REFUSED_BY_SQLC, Code.REFUSED_QUERY})
RENAME = "every query of a package becomes a function: rename one of them."


def hidden_mistakes(queries: Sequence[QuerySource], reported: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield the mistakes in the name lines, annotations and copies of all files of a package that are not `reported`."""
    places = [(each.place, each) for each in reported if each.place]
    lines = {(place.file, place.line) for place, _ in places}
    unreadable = {(place.file, place.line) for place, each in places if each.code not in _READ or _SYNTAX in each.message}
    yield from check_strays(queries)
    names: set[str] = set()
    for source in queries:
        if source.sqlc_only:
            continue
        comment = read_annotations(source)
        annotations = comment.annotations
        found = _COMMAND.search(source.name_line)
        command = found["command"] if found else ""
        if (source.file, source.line) not in lines:
            yield from unsupported_command(command, source) if command else ()
            if source.name in names:
                yield _repeated_name(source)
        names.add(source.name)
        of_statement = range(source.text_line, source.text_line + source.text.count("\n") + 1)
        is_read = not any((source.file, line) in lines for line in of_statement)
        readable = not any((source.file, line) in unreadable for line in of_statement)
        yield from _of_annotations(source, command, comment, readable=readable)
        if is_read and not has_numbers(source):
            yield from unknown_parameters(source, annotations, named_parameters(source))
        if is_read and command == ir.Command.COPYFROM:
            reading = read_statement(source.text, {})
            copied = copied_columns(reading.sql)
            if isinstance(copied, Unfit):
                yield unfit_copy(source, reading, copied)


def _of_annotations(source: QuerySource, command: str, comment: AnnotatedDoc, *, readable: bool) -> Iterator[Diagnostic]:
    yield from comment.diagnostics
    misused: list[Diagnostic] = []
    if command in set(ir.Command):
        misused = misused_annotations(command, source, comment.annotations)
        if comment.annotations.one is not None and command not in ONE_ROW:
            misused.append(misplaced_annotation(command, source, "one", "remove it, or use :one."))
    yield from misused
    if not misused and not comment.diagnostics:
        yield from refusals_in_text(source, comment.annotations, read_statement(source.text, {}).sql, readable=readable)


def has_numbers(source: QuerySource) -> bool:
    """Return whether a statement has a parameter like `$1`, whose name only sqlc knows."""
    return any(token.kind is Kind.PLACEHOLDER for token in significant(source.text))


def named_parameters(source: QuerySource) -> list[ir.UnprovenParam]:
    """Return the parameters of a statement that have a name in it."""
    named = read_statement(source.text, {}).names.values()
    return [ir.UnprovenParam(param.number, Identifier.from_sql(param.name), "", param.optional) for param in named]


def _repeated_name(source: QuerySource) -> Diagnostic:
    return Diagnostic(Code.REFUSED_BY_SQLC, f"duplicate query name: {source.name}", source.header_place(), help=RENAME)
