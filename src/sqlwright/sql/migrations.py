"""Which part of a schema file defines the schema.

sqlc strips down-migrations and psql commands, and does not read queries as schema. What it strips is blanked here, so that the remaining
lines keep their numbers and columns.
"""

from __future__ import annotations

import re

from sqlwright.sql.boundaries import is_query
from sqlwright.sql.lexer import Kind, statement_spans, tokenize

# These lines begin the down-migration: dbmate, goose, sql-migrate, tern. sqlc requires exactly one space after the dashes; the tools
# themselves accept none or several.
_WAY_BACK = re.compile(
    r"^(?:--[ \t]*(?:migrate:down|\+goose[ \t]+down|\+migrate[ \t]+down)|---- create above / drop below ----)", re.IGNORECASE | re.MULTILINE
)
_META_COMMAND = re.compile(r"^\\", re.MULTILINE)
_NAME_LINE = re.compile(r"^(?:--|/\*) name:", re.MULTILINE)
_NOT_LINE_END = re.compile(r"[^\r\n]")


def schema_text(text: str) -> str:
    """Return the part of a schema file that is applied; everything else is blanked."""
    return _without_queries(_without_meta_commands(_without_way_back(text)))


def _without_way_back(text: str) -> str:
    mark = _WAY_BACK.search(text)
    return text[: mark.start()] if mark else text


def _without_meta_commands(text: str) -> str:
    """Blank psql's commands: lines that begin with a backslash outside strings and comments."""
    if not _META_COMMAND.search(text):
        return text
    parts: list[str] = []
    position = 0
    # A command's text is not SQL (`\echo it's`), so the lexer restarts after each.
    while (start := _meta_command(text, position)) is not None:
        end = _line_end(text, start)
        parts += [text[position:start], " " * (end - start)]
        position = end
    return "".join([*parts, text[position:]])


def _meta_command(text: str, position: int) -> int | None:
    """The offset of the first command after a position, None if there is none."""
    for token in tokenize(text[position:]):
        start = position + token.start
        if token.kind is Kind.SYMBOL and token.text == "\\" and (start == 0 or text[start - 1] in "\r\n"):
            return start
    return None


def _line_end(text: str, position: int) -> int:
    return next((index for index in range(position, len(text)) if text[index] in "\r\n"), len(text))


def _without_queries(text: str) -> str:
    """Blank the queries of a file that contains both: statements under a name line, unless they also define schema."""
    if not _NAME_LINE.search(text):
        return text
    parts: list[str] = []
    position = before = 0
    for span in statement_spans(text):
        statement = text[span.start : span.end]
        if _NAME_LINE.search(text[before : span.start]) and is_query(statement):
            parts += [text[position : span.start], _NOT_LINE_END.sub(" ", statement)]
            position = span.end
        before = span.end
    return "".join([*parts, text[position:]])
