"""Queries that sqlc makes invalid by its own edits. Its message then has a position in the edited text, as if it were one in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.project.positions import place_at, query_at
from sqlwright.project.targets import INVALID_EDIT
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.macros import misread_operand, read_statement
from sqlwright.sql.sources import QuerySource, split_queries

_MACROS = frozenset({"arg", "embed", "narg", "slice"})
_NEAR = re.compile(rf'{INVALID_EDIT}: .* at or near "(.*)"')
_NUMBERED = re.compile(r"(.+)\$\d+")
_TWO_CASTS = re.compile(r"(?P<first>::[\w.\"]+(?:\([\d,]*\))?(?:\[\d*\])*)(?P<second>::[\w.\"]+(?:\([\d,]*\))?(?:\[\d*\])*)")
# What precedes a star that stands for columns.
_BEFORE_COLUMNS = frozenset({"select", "returning", ",", ".", "distinct", "all"})


def _operand(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    if _is_about_edits(message):
        found = (misread_operand(query) for query in split_queries(name, text))
        yield from (each for each in found if each is not None)


def _row_assignment(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `SET (a, b) = (@a, @b)`: sqlc numbers its parameters once for each column."""
    query = query_at(name, text, line)
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


def _double_quotes(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    del line
    tokens = significant(text) if INVALID_EDIT in message else ()
    for before, macro, bracket, argument in zip(tokens, tokens[2:], tokens[3:], tokens[4:], strict=False):
        if before.text.lower() == "sqlc" and macro.text.lower() in _MACROS and bracket.text == "(" and argument.text.startswith('"'):
            plain = argument.text.strip('"')
            yield Diagnostic(
                Code.QUOTED_PARAMETER,
                f"sqlc.{macro.text.lower()} takes no name in double quotes",
                place_at(name, text, argument.start, len(argument.text)),
                help=f"write sqlc.{macro.text.lower()}({plain}), or '{plain}' in single quotes.",
            )
    for sign, argument in pairwise(tokens):
        if sign.text == "@" and argument.kind is Kind.QUOTED_NAME and sign.end == argument.start:
            yield Diagnostic(
                Code.QUOTED_PARAMETER,
                "a parameter takes no name in double quotes",
                place_at(name, text, sign.start, argument.end - sign.start),
                help="write @ and a plain name, such as @user_id.",
            )


def _double_casts(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find two casts behind a parameter, of which sqlc drops a part."""
    del line
    tokens = significant(text) if INVALID_EDIT in message else ()
    for sign, argument in pairwise(tokens):
        found = _TWO_CASTS.match(text, argument.end)
        if found and sign.text == "@" and sign.end == argument.start:
            yield Diagnostic(
                Code.UNSUPPORTED_STATEMENT,
                f"sqlc does not read two casts behind the parameter `{argument.text}`",
                place_at(name, text, sign.start, argument.end - sign.start),
                help=f"write `(@{argument.text}{found['first']}){found['second']}`.",
            )


def _sign_behind_word(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `LIMIT@max`, of which sqlc makes the one word `LIMIT$1`, and the other places of that query."""
    del line
    near = _NEAR.fullmatch(message)
    numbered = _NUMBERED.fullmatch(near[1]) if near else None
    for query in split_queries(name, text) if numbered else ():
        tokens = significant(query.text)
        joined = [
            (word, argument)
            for word, sign, argument in zip(tokens, tokens[1:], tokens[2:], strict=False)
            if sign.text == "@" and word.end == sign.start and sign.end == argument.start and word.kind is argument.kind is Kind.WORD
        ]
        if numbered and any(word.text.lower() == numbered[1].lower() for word, _ in joined):
            for word, argument in joined:
                yield Diagnostic(
                    Code.AMBIGUOUS_AT_SIGN,
                    f"sqlc joins `{word.text}` and the parameter `{argument.text}` to one word",
                    query.place_at(word.start, argument.end - word.start),
                    help=f"write `{word.text} @{argument.text}`.",
                )


def _sign_before_space(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `@ name`, PostgreSQL's operator for the absolute value: sqlc replaces as many characters as `@name` has."""
    del line
    near = _NEAR.fullmatch(message)
    tokens = significant(text) if near else ()
    for sign, argument in pairwise(tokens):
        if near and sign.text == "@" and sign.end < argument.start and argument.kind is Kind.WORD and argument.text.endswith(near[1]):
            yield Diagnostic(
                Code.AMBIGUOUS_AT_SIGN,
                f"sqlc reads `@ {argument.text}` as a parameter, and PostgreSQL as the absolute value of `{argument.text}`",
                place_at(name, text, sign.start, argument.end - sign.start),
                help=f"write `@{argument.text}` for the parameter, or `abs({argument.text})` for the absolute value.",
            )


def _spaces_in_macro(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `sqlc.arg( x )`, whose last characters sqlc leaves in the text."""
    del line
    near = _NEAR.fullmatch(message)
    tokens = significant(text) if near and near[1] == ")" else ()
    for index in range(len(tokens) - 5):
        words = [token.text for token in tokens[index : index + 6]]
        opened, argument, closed = tokens[index + 3], tokens[index + 4], tokens[index + 5]
        is_macro = words[0].lower() == "sqlc" and words[2].lower() in _MACROS and (words[1], words[3], words[5]) == (".", "(", ")")
        if is_macro and (opened.end < argument.start or argument.end < closed.start):
            yield Diagnostic(
                Code.REFUSED_BY_SQLC,
                f"sqlc reads no sqlc.{words[2].lower()} with spaces between its parentheses",
                place_at(name, text, tokens[index].start, closed.end - tokens[index].start),
                help=f"write `sqlc.{words[2].lower()}({argument.text})`.",
            )


def _edited_star(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find the star whose columns sqlc does not quote: its message then quotes a part of a column's name, which no query has."""
    del line
    near = _NEAR.fullmatch(message)
    if near is None or not any(character.isalnum() or character == '"' for character in near[1]):
        return
    queries = split_queries(name, text)
    if any(near[1] in read_statement(query.text, {}).sql for query in queries):
        return
    starred = [(query, star) for query in queries for star in _stars(query)]
    if starred:
        (first, offset), *others = starred
        among = ", or one of the stars after it" if others else ""
        yield Diagnostic(
            Code.UNQUOTED_STAR,
            f"sqlc expands this star{among} to names that it does not quote",
            first.place_at(offset),
            help="write out the columns, with quotes around the names that need them.",
        )


def _unknown_edit(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Report what sqlc makes invalid for another reason, at the query if there is only one that it can be."""
    del line
    if INVALID_EDIT not in message:
        return
    near = _NEAR.fullmatch(message)
    queries = [query for query in split_queries(name, text) if _is_edited(query)]
    quoted = [query for query in queries if near and near[1] in read_statement(query.text, {}).sql]
    among = queries if len(queries) == 1 else quoted
    query = among[0] if len(among) == 1 else None
    yield Diagnostic(
        Code.REFUSED_BY_SQLC,
        f"sqlc makes {f'query {query.name}' if query else 'a query of this file'} invalid: {message.partition(f'{INVALID_EDIT}: ')[2]}",
        query.header_place() if query else Place(name),
        help="sqlc replaces parameters and stars in the text: write parameters as sqlc.arg(name), and columns in place of a star.",
    )


def _is_edited(query: QuerySource) -> bool:
    """Whether sqlc replaces anything in a query: a parameter, a star, or what it reads as one of them."""
    return any(token.text in {"@", "*"} or token.text.lower() == "sqlc" for token in significant(query.text))


def _stars(query: QuerySource) -> Iterator[int]:
    """The stars that expand to columns: after SELECT, RETURNING, a comma or a dot; and those of `sqlc.embed`."""
    tokens = significant(query.text)
    before = ""
    for token in tokens:
        if token.text == "*" and before in _BEFORE_COLUMNS:
            yield token.start
        before = token.text.lower()
    if not any(token.text == "*" for token in tokens) and read_statement(query.text, {}).embeds:
        yield next(token.start for token in tokens if token.text.lower() == "embed")


def _is_about_edits(message: str) -> bool:
    """Whether sqlc fails to put numbers in the place of names."""
    return message.startswith("edit ") or "edits overlap" in message or "edited query" in message


RULES: tuple[Callable[[str, str, str, int], Iterator[Diagnostic]], ...] = (
    _operand,
    _row_assignment,
    _double_quotes,
    _double_casts,
    _sign_behind_word,
    _sign_before_space,
    _spaces_in_macro,
    _edited_star,
    _unknown_edit,
)
