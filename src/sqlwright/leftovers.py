"""Parameters that sqlc leaves as the user wrote them: it does not look into MERGE."""

from __future__ import annotations

from sqlwright.lexer import Kind, Token, significant
from sqlwright.placeholders import placeholder_number

_MACROS = ("arg", "narg")


def numbered(sql: str) -> tuple[str, dict[int, str]]:
    """Write `$n` for each `@name`, `sqlc.arg(name)` and `sqlc.narg(name)` that is still there; also give the names by number."""
    if "@" not in sql and "sqlc" not in sql.lower():
        return sql, {}
    tokens = significant(sql)
    names: dict[str, int] = {}
    taken = max((placeholder_number(t) for t in tokens if t.kind is Kind.PLACEHOLDER), default=0)
    parts: list[str] = []
    position = index = 0
    while index < len(tokens):
        length = _length(tokens, index)
        if length:
            name = tokens[index + (1 if length == len("@x") else 4)].text.strip("'\"")
            number = names.setdefault(name, taken + len(names) + 1)
            parts += [sql[position : tokens[index].start], f"${number}"]
            position = tokens[index + length - 1].end
        index += length or 1
    return "".join([*parts, sql[position:]]), {number: name for name, number in names.items()}


def _length(tokens: tuple[Token, ...], index: int) -> int:
    """How many tokens a parameter takes that begins here; 0 for none."""
    texts = [token.text.lower() for token in tokens[index : index + 6]]
    if texts[0] == "@" and len(texts) > 1 and tokens[index + 1].kind is Kind.WORD and tokens[index + 1].start == tokens[index].end:
        return 2
    is_macro = len(texts) == 6 and texts[:2] == ["sqlc", "."] and texts[2] in _MACROS and (texts[3], texts[5]) == ("(", ")")  # noqa: PLR2004 the six tokens of sqlc.arg(name)
    return 6 if is_macro else 0
