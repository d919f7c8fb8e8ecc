"""A lexer for PostgreSQL's SQL, sufficient to distinguish code from quotes and comments.

Tokens cover the text without gaps: joined, they are the text again. Rules: PostgreSQL manual, section 4.1 (Lexical Structure), with
`standard_conforming_strings` on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple


class Kind(Enum):
    """The kind of a token."""

    SPACE = auto()
    LINE_COMMENT = auto()
    BLOCK_COMMENT = auto()
    STRING = auto()
    QUOTED_NAME = auto()
    WORD = auto()
    NUMBER = auto()
    PLACEHOLDER = auto()
    CAST = auto()
    SYMBOL = auto()


class Token(NamedTuple):
    """A piece of SQL; `start` is its offset in characters."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.start + len(self.text)


# Order matters: the first alternative that matches wins. An unterminated string runs to the end of the text.
_TOKEN = re.compile(
    r"""
      (?P<SPACE>[ \t\n\r\f\v]+)
    | (?P<LINE_COMMENT>--[^\r\n]*)
    | (?P<BLOCK_COMMENT>/\*)
    | (?P<STRING>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
        | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | \$(?P<tag>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$.*?(?:\$(?(tag)(?P=tag))\$|\Z)
      )
    | (?P<QUOTED_NAME>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
    | (?P<WORD>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    | (?P<PLACEHOLDER>\$[0-9]+)
    | (?P<NUMBER>0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
    | (?P<CAST>::)
    | (?P<SYMBOL>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# By pattern group; `tag` is the last group of a dollar-quoted string that has one.
_KINDS = {kind.name: kind for kind in Kind} | {"tag": Kind.STRING}
_TRIVIA = frozenset({"SPACE", "LINE_COMMENT", "BLOCK_COMMENT"})


def tokenize(sql: str) -> Iterator[Token]:
    """Split the text into tokens, in order, without gaps."""
    return (Token(_KINDS[group], sql[start:end], start) for group, start, end in _cut(sql))


@lru_cache(maxsize=64)
def significant(sql: str) -> tuple[Token, ...]:
    """Return the tokens that are neither white space nor comments. A stage asks for those of one text several times, so some are cached."""
    return tuple(Token(_KINDS[group], sql[start:end], start) for group, start, end in _cut(sql) if group not in _TRIVIA)


def first_word(sql: str) -> str:
    """Return the first significant token in lower case; "" if there is none."""
    return next((sql[start:end].lower() for group, start, end in _cut(sql) if group not in _TRIVIA), "")


def _cut(sql: str) -> Iterator[tuple[str, int, int]]:
    """Where each token is, with the name of its group in the pattern."""
    position = 0
    while position < len(sql):
        for match in _TOKEN.finditer(sql, position):
            group = match.lastgroup or ""
            position = match.end()
            if group == "BLOCK_COMMENT":
                # Comments nest, which no pattern can follow: the end is found by hand, and the pattern resumes after it.
                position = _end_of_comment(sql, position)
                yield group, match.start(), position
                break
            yield group, match.start(), position


class Span(NamedTuple):
    """A statement: the offsets of its first character and after its last, and whether a semicolon (at `end`) terminates it."""

    start: int
    end: int
    closed: bool


def statements(sql: str) -> Iterator[Token]:
    """Return the first token of each statement."""
    starts = {span.start for span in statement_spans(sql)}
    return (token for token in significant(sql) if token.start in starts)


def statement_spans(sql: str) -> Iterator[Span]:
    """Return where each statement is, without surrounding white space and comments.

    Semicolons inside parentheses or in the body of an SQL-standard routine (`BEGIN ATOMIC … END`) do not separate statements.
    """
    depth, opened, before = 0, 0, ""
    start: int | None = None
    end = 0
    for token in significant(sql):
        word = token.text.lower()
        if start is None:
            if word == ";":
                continue
            start = token.start
        depth += {"(": 1, ")": -1}.get(word, 0)
        if opened and token.kind is Kind.WORD:
            opened += {"case": 1, "end": -1}.get(word, 0)
        elif (before, word) == ("begin", "atomic"):
            opened = 1
        if word == ";" and depth <= 0 and not opened:
            yield Span(start, token.start, closed=True)
            depth, start = 0, None
        before, end = word, token.end
    if start is not None:
        yield Span(start, end, closed=False)


def _end_of_comment(sql: str, position: int) -> int:
    """Find the end of a block comment; they nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, position):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
