"""`sqlc.slice`: PostgreSQL has arrays, so a list of values is one parameter.

sqlc leaves `IN ($1)` for `IN (sqlc.slice(ids))`. `x IN (list)` is `x = ANY (array)` by definition, and `x NOT IN (list)` is
`x <> ALL (array)` (PostgreSQL manual, section 9.25); an empty list then matches nothing, or everything.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.placeholders import placeholder_number


def with_arrays(sql: str, numbers: AbstractSet[int]) -> str:
    """Write `= ANY ($n)` for `IN ($n)` and `<> ALL ($n)` for `NOT IN ($n)`, for the placeholders in `numbers`."""
    if not numbers:
        return sql
    tokens = significant(sql)
    parts: list[str] = []
    position = 0
    for index, token in enumerate(tokens):
        if token.kind is not Kind.PLACEHOLDER or placeholder_number(token) not in numbers:
            continue
        start = _start_of_in(tokens, index)
        if start is not None:
            negated = tokens[start].text.lower() == "not"
            parts += [sql[position : tokens[start].start], "<> ALL " if negated else "= ANY "]
            position = tokens[index - 1].start
    return "".join([*parts, sql[position:]])


def _start_of_in(tokens: tuple[Token, ...], index: int) -> int | None:
    """The index of the `IN` or `NOT` of an `IN ($n)` around the placeholder, which may have a cast."""
    before = [token.text.lower() for token in tokens[max(0, index - 3) : index]]
    if before[-2:] != ["in", "("]:
        return None
    return index - 3 if before[0] == "not" and len(before) == len(("not", "in", "(")) else index - 2
