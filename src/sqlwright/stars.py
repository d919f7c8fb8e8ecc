"""Stars that sqlc expands wrongly: over a function it writes the function's name, one record; over VALUES it writes nothing.

There the star is put back, and PostgreSQL says what its columns are.
"""

from __future__ import annotations

import difflib
from collections.abc import Set as AbstractSet

from sqlwright.lexer import Kind, Token, significant


def with_stars(sql: str, source: str, records: AbstractSet[str] | None) -> str:
    """Give sqlc's text with the stars of the user's text where sqlc wrote nothing, or one of `records`, which it takes for records.

    Where `records` is None, every star is put back.
    """
    if "*" not in source:
        return sql
    ours, theirs = significant(source), significant(sql)
    matcher = difflib.SequenceMatcher(None, [_key(t) for t in ours], [_key(t) for t in theirs], autojunk=False)
    parts: list[str] = []
    position = 0
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal" or [token.text for token in ours[a0:a1]] != ["*"]:
            continue
        written = [token.text.strip('"') for token in theirs[b0:b1] if token.text not in {",", "."}]
        if records is not None and written and not (len(written) == 1 and written[0] in records):
            continue
        start = theirs[b0].start if b0 < len(theirs) else len(sql)
        end = theirs[b1 - 1].end if b1 > b0 else start
        parts += [sql[position:start], "*" if b1 > b0 else "* "]
        position = end
    return "".join([*parts, sql[position:]])


def _key(token: Token) -> str:
    return token.text.lower() if token.kind is Kind.WORD else token.text
