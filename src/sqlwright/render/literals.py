"""Python string literals and docstrings for any text, spelt as `ruff format` spells them."""

from __future__ import annotations

from collections.abc import Iterable

_TRIPLE = '"""'


def string_literal(text: str) -> str:
    """Return a one-line literal: double quotes, or single ones where they save escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = _escape_unprintable(text.replace("\\", "\\\\")).replace("\n", "\\n").replace("\t", "\\t")
    return quote + escaped.replace(quote, f"\\{quote}") + quote


def sql_literal(sql: str) -> str:
    """Return a triple-quoted literal of the SQL with exactly one newline at its end.

    Raw where the text has backslashes and allows it, so that the SQL can be read, and copied, as it is.
    """
    text = sql.rstrip("\n") + "\n"
    can_be_raw = _TRIPLE not in text and not text.startswith('"') and _escape_unprintable(text) == text
    if "\\" in text and can_be_raw:
        return f"r{_TRIPLE}{text}{_TRIPLE}"
    return f"{_TRIPLE}\\\n{_escape(text)}{_TRIPLE}"


def docstring(lines: Iterable[str], depth: int) -> list[str]:
    """Return the lines of a docstring at a depth of indentation; blank lines around the text are dropped, as is trailing space.

    A first line that is a sentence is parted from what follows by a blank line (PEP 257), the text itself is left alone. There must be
    some text.
    """
    margin = "    " * depth
    text = _trim(lines)
    if len(text) > 1 and text[1] and text[0].endswith((".", "!", "?")):
        text.insert(1, "")
    opening, text = _docstring_form(text)
    if len(text) == 1:
        return [f"{margin}{opening}{text[0]}{_TRIPLE}"]
    first, *rest = text
    return [f"{margin}{opening}{first}", *(f"{margin}{line}".rstrip() for line in rest), f"{margin}{_TRIPLE}"]


def _docstring_form(text: list[str]) -> tuple[str, list[str]]:
    """Return the opening quotes and the lines between the quotes: raw where there are backslashes and that is enough."""
    joined = "\n".join(text)
    touches = joined.startswith('"') or joined.endswith(('"', "\\"))
    if "\\" in joined and not touches and _TRIPLE not in joined and _escape_unprintable(joined) == joined:
        return f"r{_TRIPLE}", text
    escaped = [_escape(line) for line in text]
    # A quote next to the quotes around the text would join them.
    if escaped[0].startswith('"'):
        escaped[0] = f"\\{escaped[0]}"
    if len(escaped) == 1 and escaped[0].endswith('"'):
        before = escaped[0][:-1]
        backslashes = len(before) - len(before.rstrip("\\"))
        escaped[0] = f'{before}\\"' if backslashes % 2 == 0 else escaped[0]
    return _TRIPLE, escaped


def _trim(lines: Iterable[str]) -> list[str]:
    text = [line.expandtabs(4).rstrip() for piece in lines for line in piece.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while text and not text[0]:
        del text[0]
    while text and not text[-1]:
        del text[-1]
    shared = min((len(line) - len(line.lstrip(" ")) for line in text[1:] if line), default=0)
    return [text[0].strip(), *(line[shared:] for line in text[1:])] if text else [""]


def _escape(text: str) -> str:
    return _escape_unprintable(text.replace("\\", "\\\\").replace(_TRIPLE, '\\"\\"\\"'))


def _escape_unprintable(text: str) -> str:
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_escape_character(char) for char in text)


def _escape_character(char: str) -> str:
    """Controls, surrogates and invisible characters get an escape: a reader sees them, and no editor or formatter changes them."""
    if char.isprintable() or char in "\n\t":
        return char
    return char.encode("unicode_escape").decode("ascii")
