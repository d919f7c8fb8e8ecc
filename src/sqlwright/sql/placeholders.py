"""Placeholders: each `$n` in the final SQL carries a cast to the type that PostgreSQL inferred for it.

The cast fixes the parameter's type, so psycopg may send an int of any size, an empty list or None, and the server never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.sql.lexer import Kind, Token, significant


def placeholder_number(token: Token) -> int:
    """The number n of `$n`."""
    return int(token.text[1:])


def with_casts(sql: str, types: Mapping[int, str]) -> str:
    """Append `::type` to every placeholder that has no cast; `types` maps a placeholder's number to its SQL type."""
    tokens = significant(sql)
    parts: list[str] = []
    position = 0
    for index, token in enumerate(tokens):
        if token.kind is not Kind.PLACEHOLDER or _has_cast(tokens, index):
            continue
        cast = f"{token.text}::{types[placeholder_number(token)]}"
        parts += [sql[position : token.start], f"({cast})" if _needs_parentheses(tokens, index) else cast]
        position = token.end
    return "".join([*parts, sql[position:]])


def _has_cast(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether it is written `$1::type` or `CAST($1 AS type)`."""
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if after is None:
        return False
    if after.kind is Kind.CAST:
        return True
    before = [token.text.lower() for token in tokens[max(0, index - 2) : index]]
    return before == ["cast", "("] and after.text.lower() == "as"


def _needs_parentheses(tokens: tuple[Token, ...], index: int) -> bool:
    """A subscript or a field would bind to the type, and FETCH FIRST does not accept a bare cast (PostgreSQL grammar: c_expr)."""
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    before = [token.text.lower() for token in tokens[max(0, index - 2) : index]]
    return after in {"[", "."} or before in (["fetch", "first"], ["fetch", "next"])
