"""A lexer for PostgreSQL's SQL: enough to tell code from quotes and comments.

Tokens cover the text without gaps: joining them gives it back. Rules: PostgreSQL manual, section 4.1 (Lexical Structure), with
`standard_conforming_strings` on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import cast


class Kind(Enum):
    """What a token is."""

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


TRIVIA = frozenset({Kind.SPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL; `start` is its offset in characters."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind the last character."""
        return self.start + len(self.text)


# Order matters: the first alternative that matches wins. A string that is not closed runs to the end of the text.
_TOKEN = re.compile(
    r"""
      (?P<SPACE>\s+)
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


def tokenize(sql: str) -> Iterator[Token]:
    """Cut the text into tokens, in order, without gaps."""
    position = 0
    while position < len(sql):
        match = cast("re.Match[str]", _TOKEN.match(sql, position))  # the last alternative takes any character
        kind = Kind[match.lastgroup or ""] if match.lastgroup != "tag" else Kind.STRING
        end = _end_of_comment(sql, match.end()) if kind is Kind.BLOCK_COMMENT else match.end()
        yield Token(kind, sql[position:end], position)
        position = end


def significant(sql: str) -> list[Token]:
    """Give the tokens that are neither white space nor comments."""
    return [token for token in tokenize(sql) if token.kind not in TRIVIA]


def statements(sql: str) -> Iterator[Token]:
    """Give the first token of each statement.

    Semicolons inside parentheses and inside the body of an SQL-standard routine (`BEGIN ATOMIC … END`) separate no top-level statements.
    """
    depth, opened, fresh, before = 0, 0, True, ""
    for token in significant(sql):
        word = token.text.lower()
        if fresh and word != ";":
            yield token
            fresh = False
        depth += {"(": 1, ")": -1}.get(word, 0)
        if opened and token.kind is Kind.WORD:
            opened += {"case": 1, "end": -1}.get(word, 0)
        elif (before, word) == ("begin", "atomic"):
            opened = 1
        if word == ";" and depth <= 0 and not opened:
            depth, fresh = 0, True
        before = word


def _end_of_comment(sql: str, position: int) -> int:
    """Find the end of a block comment; they nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, position):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
