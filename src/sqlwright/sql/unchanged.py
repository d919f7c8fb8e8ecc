"""The SELECT that returns the rows of an UPDATE … RETURNING as they are, for a patch that sets nothing."""

from __future__ import annotations

from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import Written, renumbered

_DEPTHS = {"(": 1, "[": 1, ")": -1, "]": -1}


def select_of(sql: str) -> Written | None:
    """Return the SELECT with the target, the WHERE and the outputs of an UPDATE; None for a statement without RETURNING.

    What FROM adds to the UPDATE is left out: the caller looks at the tree.
    """
    tokens = significant(sql)
    begin, assign, where, returning = (_find(tokens, word) for word in ("update", "set", "where", "returning"))
    if begin is None or assign is None or returning is None:
        return None
    end = len(tokens) - 1 if tokens[-1].text != ";" else len(tokens) - 2
    outputs = _between(sql, tokens, returning + 1, end)
    target = _between(sql, tokens, begin + 1, assign - 1)
    condition = f"\n{_between(sql, tokens, where, returning - 1)}" if where is not None else ""
    text = f"{sql[: tokens[begin].start]}SELECT {outputs}\nFROM {target}{condition}"
    params = tuple(sorted({placeholder_number(token) for token in significant(text) if token.kind is Kind.PLACEHOLDER}))
    return Written(renumbered(text, {number: index for index, number in enumerate(params, start=1)}), params)


def _find(tokens: tuple[Token, ...], word: str) -> int | None:
    """Return the first place of a word outside of brackets. What is proposed so is compared by its tree."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += _DEPTHS.get(token.text, 0)
        if depth == 0 and token.kind is Kind.WORD and token.text.lower() == word and (not index or tokens[index - 1].text != "."):
            return index
    return None


def _between(sql: str, tokens: tuple[Token, ...], first: int, last: int) -> str:
    return sql[tokens[first].start : tokens[last].end]
