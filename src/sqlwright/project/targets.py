"""Columns of SELECT and RETURNING lists that sqlc cannot read: it looks for the column that they are named after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.project.positions import query_at
from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.sources import split_queries

_COLUMN = re.compile(r'column "(.+)" does not exist')
INVALID_EDIT = "edited query syntax is invalid"
_NAMELESS = "*ast.ResTarget has nil name"
_MACROS = frozenset({"arg", "narg", "slice"})
_OPENING, _CLOSING = frozenset({"(", "["}), frozenset({")", "]"})
_BEFORE_TARGETS = frozenset({"select", "returning"})
_AFTER_TARGETS = frozenset(
    {"from", "into", "where", "group", "having", "window", "union", "intersect", "except", "order", "limit", "offset", "fetch", "for", ";"}
)
_COMPARISONS = frozenset({"in", "between", "like", "ilike", "similar"})
# In these sqlc does not look for the type of a parameter. In others it takes that of the function's argument, or of the other operand.
_TRANSPARENT = frozenset({"", "coalesce", "greatest", "least", "row", "array", "case", "when", "then", "else", "and", "or", "not", "as"})
_OPERATOR = frozenset("+-*/<>=~!@#%^&|`?")
_ROWS = frozenset({"old", "new"})
_NAMES = frozenset({Kind.WORD, Kind.QUOTED_NAME})


def _untyped_in_target(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find the parameter in `coalesce(@a, id) AS x`, for which sqlc looks for a column `x`."""
    found, query = _COLUMN.fullmatch(message), query_at(name, text, line)
    if query is None or (found is None and message != _NAMELESS):
        return
    for target in _targets(significant(query.text)):
        is_meant = found is None or (
            len(target) > 1 and target[-1].kind in _NAMES and target[-1].text.strip('"').lower() == found[1].lower()
        )
        parameter = next(_untyped(target), None) if is_meant else None
        if parameter is not None:
            start, end = parameter[0].start, parameter[-1].end
            written = query.text[start:end]
            yield Diagnostic(
                Code.UNTYPED_PARAMETER,
                f"sqlc cannot infer the type of the parameter `{written}` in a column of the result",
                query.place_at(start, end - start),
                help=f"add a cast to its type, such as `{written}::bigint`.",
            )
            return


def _targets(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the items of all SELECT and RETURNING lists, those of inner queries after the one that contains them."""
    for index, token in enumerate(tokens):
        if token.kind is Kind.WORD and token.text.lower() in _BEFORE_TARGETS:
            yield from _items(tokens[index + 1 :])


def _items(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    depth = start = 0
    end = len(tokens)
    for index, token in enumerate(tokens):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth < 0 or (depth == 0 and token.text.lower() in _AFTER_TARGETS):
            end = index
            break
        if depth == 0 and token.text == ",":
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:end]


def _untyped(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the parameters without a cast for whose type sqlc looks at the name of the column."""
    around: list[bool] = []
    index = 0
    while index < len(tokens):
        before = tokens[index - 1] if index else None
        length = _length(tokens, index)
        following = tokens[index + length] if index + length < len(tokens) else None
        if length:
            is_operand = (before is not None and _is_operator(before)) or (following is not None and _is_operator(following))
            if all(around) and not is_operand and (following is None or following.kind is not Kind.CAST):
                yield tokens[index : index + length]
            index += length
            continue
        if tokens[index].text in _OPENING:
            around.append(
                tokens[index].text == "[" or before is None or before.kind is not Kind.WORD or before.text.lower() in _TRANSPARENT
            )
        elif tokens[index].text in _CLOSING and around:
            around.pop()
        index += 1


def _length(tokens: Sequence[Token], index: int) -> int:
    """Return how many tokens the parameter that begins here has, 0 where none begins."""
    token, texts = tokens[index], [each.text.lower() for each in tokens[index : index + 6]]
    if token.kind is Kind.PLACEHOLDER:
        return 1
    if token.text == "@" and index + 1 < len(tokens) and tokens[index + 1].kind is Kind.WORD and tokens[index + 1].start == token.end:
        return 2
    is_macro = texts[:2] == ["sqlc", "."] and texts[2:3] and texts[2] in _MACROS and (texts[3:4], texts[5:]) == (["("], [")"])
    return len(texts) if is_macro else 0


def _is_operator(token: Token) -> bool:
    return _OPERATOR.issuperset(token.text) or token.text.lower() in _COMPARISONS


def _is_named(token: Token, name: str) -> bool:
    return token.text.strip('"').lower() == name.lower()


def _old_and_new(message: str, name: str, text: str, line: int) -> Iterator[Diagnostic]:
    """Find `RETURNING old.x`: in sqlc's grammar `old` is no row, and `old.*` no column."""
    found, query = _COLUMN.fullmatch(message), query_at(name, text, line)
    queries = split_queries(name, text) if message.startswith(INVALID_EDIT) else [query] if found and query else []
    for each in queries:
        tokens = significant(each.text)
        words = [token.text.lower() for token in tokens]
        returning = words.index("returning") if "returning" in words else len(words)
        for index in range(returning, len(tokens) - 2):
            row, dot, column = tokens[index : index + 3]
            is_row = words[index] in _ROWS and words[index] not in words[:returning] and dot.text == "."
            if is_row and (_is_named(column, found[1]) if found else column.text == "*"):
                yield Diagnostic(
                    Code.UNSUPPORTED_STATEMENT,
                    f"sqlc does not know `{words[index]}` in RETURNING, which is new in PostgreSQL 18",
                    each.place_at(row.start, column.end - row.start),
                    help=_instead(row.text, column.text),
                )


def _instead(row: str, column: str) -> str:
    if column == "*":
        return f"name its columns, with casts to their types, as in `{row}.name::text AS name`."
    if row.lower() == "new":
        return f"write `{column}`, which means the same here."
    return f"add a cast to the type of the column, which sqlc does not look behind: `{row}.{column}::text AS {row}_{column}`."


RULES: tuple[Callable[[str, str, str, int], Iterator[Diagnostic]], ...] = (_old_and_new, _untyped_in_target)
