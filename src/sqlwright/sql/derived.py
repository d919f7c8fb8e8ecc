"""Statements that are made of a query's own: its number of rows, and whether it has one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import renumbered

# Reserved words that follow all else in a SELECT; as names they are quoted, or stand behind a dot.
_END = frozenset({"order", "limit", "offset", "fetch", "for", ";"})
_LIMITS = frozenset({"limit", "offset", "fetch"})
_DEPTHS = {"(": 1, "[": 1, ")": -1, "]": -1}


class Question(StrEnum):
    """What is asked about the rows of a query: how many there are, or whether there is one. The value is the annotation's word."""

    COUNT = "count"
    EXISTS = "exists"


_FORMS = {Question.COUNT: "SELECT count(*) FROM (\n{0}\n) AS counted", Question.EXISTS: "SELECT EXISTS (\n{0}\n)"}


@dataclass(frozen=True, slots=True)
class Asking:
    """A statement that asks about the rows of another one.

    `params` are the numbers that its parameters have in that one, in order. `limited`: that one has a LIMIT, an OFFSET or a FETCH of its
    own, which this one has not.
    """

    sql: str
    params: tuple[int, ...]
    limited: bool


def ask(question: Question, sql: str) -> Asking:
    """Return the statement that asks about the rows of a query without its ORDER BY, LIMIT, OFFSET and FETCH."""
    tokens = significant(sql)
    end = _end_of_rows(tokens)
    body = sql[: tokens[end - 1].end] if end else ""
    params = tuple(sorted({placeholder_number(token) for token in tokens[:end] if token.kind is Kind.PLACEHOLDER}))
    numbers = {number: index for index, number in enumerate(params, start=1)}
    limited = any(token.text.lower() in _LIMITS and tokens[end + index - 1].text != "." for index, token in enumerate(tokens[end:]))
    return Asking(_FORMS[question].format(renumbered(body, numbers)), params, limited)


def _end_of_rows(tokens: tuple[Token, ...]) -> int:
    """Return the index of the first token behind what determines the rows."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += _DEPTHS.get(token.text, 0)
        if depth == 0 and token.text.lower() in _END and tokens[index - 1].text != ".":
            return index
    return len(tokens)
