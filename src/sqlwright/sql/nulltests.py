"""Filters that are written as `@name IS NULL OR name = @name`, which `@optional` replaces by `name = @name`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlwright.diagnostics import Place
from sqlwright.sql.lexer import Token, significant
from sqlwright.sql.sources import QuerySource

_MACRO = re.compile(r"\bsqlc\s*\.\s*n?arg\s*\(\s*'?(\w+)'?\s*\)", re.IGNORECASE)
_AROUND = frozenset({"and", "where", "on", "having", ";", "group", "order", "limit", "offset", "returning", "union", "for", "fetch"})


def condition_without_null_test(source: QuerySource, place: Place) -> str:
    """Return the condition of a filter without its test for NULL, on one line; `place` is inside the filter. "" if it is not seen there."""
    before = "".join(f"{line}\n" for line in source.text.split("\n")[: max(place.line - source.text_line, 0)])
    tokens = significant(source.text)
    index = next((i for i, token in enumerate(tokens) if token.end > len(before) + place.column - 1), None)
    while index is not None:
        start, parts = _alternatives(tokens, index)
        if len(parts) > 1:
            others = [part for part in parts if [token.text.lower() for token in part if token.text != ")"][-2:] != ["is", "null"]]
            if len(parts) != 2 or len(others) != 1 or not others[0]:  # noqa: PLR2004 - a test and a condition
                return ""
            (condition,) = others
            return " ".join(_MACRO.sub(r"@\1", source.text[condition[0].start : condition[-1].end]).split())
        # Around the parentheses of a call, or of one of the two alternatives.
        index = start - 1 if start and tokens[start - 1].text == "(" else None
    return ""


def _alternatives(tokens: Sequence[Token], index: int) -> tuple[int, list[list[Token]]]:
    """Return what OR separates around a token, inside of the same parentheses, and the index where it starts."""
    start, depth = index, 0
    while start and (depth or (tokens[start - 1].text != "(" and tokens[start - 1].text.lower() not in _AROUND)):
        start -= 1
        depth += (tokens[start].text == ")") - (tokens[start].text == "(")
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[start:]:
        word = token.text.lower()
        if depth == 0 and (word == ")" or word in _AROUND):
            break
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == "or":
            parts.append([])
        else:
            parts[-1].append(token)
    return start, parts
