"""Better diagnostics for mistakes that sqlc reports in its parser's terms or at the wrong place, found again in the user's file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.sql.boundaries import check_boundaries
from sqlwright.sql.lexer import Kind, first_word, significant, statement_spans, tokenize
from sqlwright.sql.macros import joined_signs, misread_operand, read_statement
from sqlwright.sql.sources import QuerySource, split_queries

_LONGEST_LINE = 64 * 1024
_MACROS = frozenset({"arg", "embed", "narg", "slice"})
_COLUMN = re.compile(r'column "(.+)" does not exist')
_UNTERMINATED = re.compile(r"(unterminated .*?) at or near")
_TWO_CASTS = re.compile(r"(?P<first>::[\w.\"]+(?:\([\d,]*\))?(?:\[\d*\])*)(?P<second>::[\w.\"]+(?:\([\d,]*\))?(?:\[\d*\])*)")
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
            _place(name, text, opened.start),
            "it begins here",
            help="terminate it; everything after it is part of it.",
        )


def _double_quotes(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    tokens = significant(text) if "edited query syntax is invalid" in message else ()
    for before, macro, bracket, argument in zip(tokens, tokens[2:], tokens[3:], tokens[4:], strict=False):
        if before.text.lower() == "sqlc" and macro.text.lower() in _MACROS and bracket.text == "(" and argument.text.startswith('"'):
            plain = argument.text.strip('"')
            yield Diagnostic(
                Code.QUOTED_PARAMETER,
                f"sqlc.{macro.text.lower()} takes no name in double quotes",
                _place(name, text, argument.start, len(argument.text)),
                help=f"write sqlc.{macro.text.lower()}({plain}), or '{plain}' in single quotes.",
            )
    for sign, argument in pairwise(tokens):
        if sign.text == "@" and argument.kind is Kind.QUOTED_NAME and sign.end == argument.start:
            yield Diagnostic(
                Code.QUOTED_PARAMETER,
                "a parameter takes no name in double quotes",
                _place(name, text, sign.start, argument.end - sign.start),
                help="write @ and a plain name, such as @user_id.",
            )


def _double_casts(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find two casts behind a parameter, of which sqlc drops a part."""
    del line
    tokens = significant(text) if "edited query syntax is invalid" in message else ()
    for sign, argument in pairwise(tokens):
        found = _TWO_CASTS.match(text, argument.end)
        if found and sign.text == "@" and sign.end == argument.start:
            yield Diagnostic(
                Code.UNSUPPORTED_STATEMENT,
                f"sqlc does not read two casts behind the parameter `{argument.text}`",
                _place(name, text, sign.start, argument.end - sign.start),
                help=f"write `(@{argument.text}{found['first']}){found['second']}`.",
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


def _edited_star(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find the star: sqlc reports a position in its own text as one in the file, so that it points at some other query."""
    del line
    if "edited query syntax is invalid" not in message:
        return
    starred = [(query, star) for query in split_queries(name, text) for star in _stars(query)]
    if starred:
        (first, offset), *others = starred
        among = ", or one of the stars after it" if others else ""
        yield Diagnostic(
            Code.UNQUOTED_STAR,
            f"sqlc expands this star{among} to names that it does not quote",
            first.place_at(offset),
            help="write out the columns, with quotes around the names that need them.",
        )


def _stars(query: QuerySource) -> Iterator[int]:
    """The stars that expand to columns: after SELECT, RETURNING, a comma or a dot; and those of `sqlc.embed`."""
    tokens = significant(query.text)
    before = ""
    for token in tokens:
        if token.text == "*" and before in {"select", "returning", ",", ".", "distinct", "all"}:
            yield token.start
        before = token.text.lower()
    if not any(token.text == "*" for token in tokens) and read_statement(query.text, {}).embeds:
        yield next(token.start for token in tokens if token.text.lower() == "embed")


def _untyped(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find the parameter: in a query without FROM, sqlc looks for the column it is compared with."""
    query = _query_at(name, text, line)
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
    found, query = _COLUMN.fullmatch(message), _query_at(name, text, line)
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


def _is_about_edits(message: str) -> bool:
    """Whether sqlc fails to put numbers in the place of names."""
    return message.startswith("edit ") or "edits overlap" in message or "edited query" in message


def _operand(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    if _is_about_edits(message):
        found = (misread_operand(query) for query in split_queries(name, text))
        yield from (each for each in found if each is not None)


def _joined_sign(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `SET name=@name`, where an operator is not allowed."""
    found, query = _NEAR.fullmatch(message), _query_at(name, text, line)
    if found is None or query is None:
        return
    for sign in joined_signs(query.text):
        if sign.operator == found[1]:
            yield sign.diagnostic(query, f"write `{sign.cure}`.")


def _row_assignment(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `SET (a, b) = (@a, @b)`: sqlc numbers its parameters once for each column."""
    query = _query_at(name, text, line)
    if not _is_about_edits(message) or query is None:
        return
    tokens = significant(query.text)
    for before, bracket in pairwise(tokens):
        if before.text.lower() == "set" and bracket.text == "(":
            yield Diagnostic(
                Code.UNSUPPORTED_STATEMENT,
                f"query {query.name} sets several columns in one assignment, whose named parameters sqlc does not read",
                query.place_at(bracket.start),
                help="write an assignment for each column: `a = @a, b = @b`.",
            )


def _copy_data(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    if not message.startswith("syntax error"):
        return
    found = next((m for m in _COPY_DATA.finditer(text) if _line(text, m.start()) <= line), None)
    if found is not None and _line(text, found.end()) + 1 == line:
        yield Diagnostic(
            Code.UNSUPPORTED_STATEMENT,
            "the data of COPY … FROM stdin is not SQL",
            _place(name, text, found.start(), len(found[0])),
            help="dump only the schema: pg_dump -s.",
        )


_RULES: tuple[Callable[[str, str, str, int], Iterator[Diagnostic]], ...] = (
    _long_line,
    _unterminated,
    _lost_statements,
    _copy_data,
    _joined_sign,
    _operand,
    _row_assignment,
    _double_quotes,
    _double_casts,
    _table_statement,
    _edited_star,
    _untyped,
    _field_of_function,
)


def _query_at(name: str, text: str, line: int) -> QuerySource | None:
    """The query that a line of sqlc's refers to: the one around it; the first one for the first line, which may be its comment."""
    queries = split_queries(name, text)
    return next((query for query in reversed(queries) if query.line <= line), queries[0] if queries else None)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _place(name: str, text: str, offset: int, width: int = 1) -> Place:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    index = bisect_right(starts, offset) - 1
    return Place(name, index + 1, offset - starts[index] + 1, text[starts[index] :].split("\n", 1)[0].rstrip("\r"), width)
