"""Better diagnostics for mistakes that sqlc reports in its parser's terms or at the wrong place, found again in the user's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.project import edits, targets
from sqlwright.project.positions import place_at, query_at
from sqlwright.sql.boundaries import check_boundaries
from sqlwright.sql.lexer import Kind, first_word, significant, statement_spans, tokenize
from sqlwright.sql.macros import joined_signs, read_statement
from sqlwright.sql.sources import split_queries

_LONGEST_LINE = 64 * 1024
_COLUMN = re.compile(r'column "(.+)" does not exist')
_UNTERMINATED = re.compile(r"(unterminated .*?) at or near")
_NEAR = re.compile(r'syntax error at or near "(.+@)"')
_COPY_DATA = re.compile(r"^copy\b[^;]*\bfrom\s+stdin\b", re.IGNORECASE | re.MULTILINE)


def better(message: str, name: str, content: bytes, line: int) -> list[Diagnostic]:
    """Return the diagnostics that replace sqlc's message about a file, none if the message is good. `line` is where sqlc reports it."""
    text = content.decode("utf-8", errors="replace")
    for rule in _RULES:
        found = list(rule(message, name, text, line))
        if found:
            return found
    return []


def _long_line(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    if "token too long" in message:
        for number, each in enumerate(text.split("\n"), start=1):
            if len(each.encode()) >= _LONGEST_LINE:
                place = Place(name, number, 1, f"{each[:60]}…")
                yield Diagnostic(
                    Code.LINE_TOO_LONG,
                    f"line {number} of {name} is longer than 64 kB, which sqlc does not read",
                    place,
                    help="break the line.",
                )


def _lost_statements(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    if not message.startswith("syntax error"):
        return
    sources = split_queries(name, text)
    for found in check_boundaries(sources, {source.name for source in sources}, {name}):
        if found.second is not None and found.second.line <= line:
            yield found


def _unterminated(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    found = _UNTERMINATED.match(message)
    opened = next((t for t in tokenize(text) if found and t.end == len(text) and _line(text, t.start) >= line), None)
    if found and opened:
        yield Diagnostic(
            Code.UNTERMINATED,
            found[1],
            place_at(name, text, opened.start),
            "it begins here",
            help="terminate it; everything after it is part of it.",
        )


def _table_statement(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    if "edit start location is out of bounds" in message:
        for query in split_queries(name, text):
            span = next(statement_spans(query.text), None)
            if span and first_word(query.text[span.start : span.end]) == "table":
                table = query.text[span.start + len("table") : span.end].strip()
                yield Diagnostic(
                    Code.UNSUPPORTED_STATEMENT,
                    f"query {query.name} is a TABLE statement, which sqlc does not read",
                    query.place_at(span.start, span.end - span.start),
                    help=f"write `SELECT * FROM {table}`.",  # noqa: S608 - shown, never sent
                )


def _untyped(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find the parameter: in a query without FROM, sqlc looks for the column it is compared with."""
    query = query_at(name, text, line)
    if message != 'relation "" does not exist' or query is None:
        return
    reading = read_statement(query.text, {})
    wanted = next(iter(reading.names.values()), None)
    if wanted is not None:
        token = next(t for t in significant(query.text) if t.text.strip("'\"").lower() == wanted.name.lower())
        yield Diagnostic(
            Code.UNTYPED_PARAMETER,
            f"the type of parameter `{wanted.name}` cannot be inferred",
            query.place_at(token.start, len(token.text)),
            help=f"add a cast: `@{wanted.name}::text`.",
        )


def _field_of_function(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Name the function in FROM: sqlc knows its columns only if they are named."""
    found, query = _COLUMN.fullmatch(message), query_at(name, text, line)
    if found is None or query is None:
        return
    tokens = significant(query.text)
    index = next((i for i, t in enumerate(tokens) if t.text.strip('"').lower() == found[1].lower()), None)
    function = next((i for i, t in enumerate(tokens[:-2]) if t.text.lower() in {"from", "join"} and tokens[i + 2].text == "("), None)
    if index is not None and function is not None and tokens[function + 1].kind is Kind.WORD:
        called = tokens[function + 1].text
        yield Diagnostic(
            Code.UNKNOWN_FUNCTION_COLUMNS,
            f'column "{found[1]}" does not exist: sqlc does not know the columns of {called}(…)',
            query.place_at(tokens[index].start, len(tokens[index].text)),
            help=f"name its columns: `{called}(…) AS f ({found[1]}, …)`.",
        )


def _joined_sign(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `SET name=@name`, where an operator is not allowed."""
    found, query = _NEAR.fullmatch(message), query_at(name, text, line)
    if found is None or query is None:
        return
    for sign in joined_signs(query.text):
        if sign.operator == found[1]:
            yield sign.diagnostic(query, f"write `{sign.cure}`.")


def _copy_data(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    if not message.startswith("syntax error"):
        return
    found = next((m for m in _COPY_DATA.finditer(text) if _line(text, m.start()) <= line), None)
    if found is not None and _line(text, found.end()) + 1 == line:
        yield Diagnostic(
            Code.UNSUPPORTED_STATEMENT,
            "the data of COPY … FROM stdin is not SQL",
            place_at(name, text, found.start(), len(found[0])),
            help="dump only the schema: pg_dump -s.",
        )


_RULES: tuple[Callable[[str, str, str, int], Iterator[Diagnostic]], ...] = (
    _long_line,
    _unterminated,
    _lost_statements,
    _copy_data,
    _joined_sign,
    _table_statement,
    *targets.RULES,
    *edits.RULES,
    _untyped,
    _field_of_function,
)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
