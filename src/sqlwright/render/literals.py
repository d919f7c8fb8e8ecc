"""Python string literals for any text, spelt as `ruff format` spells them."""

from __future__ import annotations

TRIPLE = '"""'


def string_literal(text: str) -> str:
    """Return a one-line literal: double quotes, or single ones where they save escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = escape_unprintable(text.replace("\\", "\\\\")).replace("\n", "\\n").replace("\t", "\\t")
    return quote + escaped.replace(quote, f"\\{quote}") + quote


def utf8_literal(text: str) -> str:
    """Return an expression for a text's bytes in UTF-8."""
    literal = string_literal(text)
    return f"b{literal}" if text.isascii() else f"{literal}.encode()"


def sql_literal(sql: str) -> str:
    """Return a triple-quoted literal of the SQL with exactly one newline at its end.

    Raw where the text has backslashes and allows it, so that the SQL can be read, and copied, as it is.
    """
    text = sql.rstrip("\n") + "\n"
    can_be_raw = TRIPLE not in text and not text.startswith('"') and escape_unprintable(text) == text
    if "\\" in text and can_be_raw:
        return f"r{TRIPLE}{text}{TRIPLE}"
    return f"{TRIPLE}\\\n{escape(text)}{TRIPLE}"


def escape(text: str) -> str:
    """Return the text as it is written between triple quotes."""
    return escape_unprintable(text.replace("\\", "\\\\").replace(TRIPLE, '\\"\\"\\"'))


def escape_unprintable(text: str) -> str:
    """Return the text with an escape in place of each character that nobody can see."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_escape_character(char) for char in text)


def _escape_character(char: str) -> str:
    """Controls, surrogates and invisible characters get an escape: a reader sees them, and no editor or formatter changes them."""
    if char.isprintable() or char in "\n\t":
        return char
    return char.encode("unicode_escape").decode("ascii")
