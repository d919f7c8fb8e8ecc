"""Docstrings for any text, in lines of at most 88 columns, spelt as `ruff format` spells them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from sqlwright.render.layout import LINE_LENGTH, width
from sqlwright.render.literals import TRIPLE, escape, escape_unprintable

# What begins an item of a list, and with it the width of the item's further lines.
_ITEM = re.compile(r"\s*(?:(?:[-*+•]|[0-9]+[.)])\s+)?")
_SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!cf)(?<!vs)[.!?](?= +[^\W\d_a-z]| +[`\"'(])")


def docstring(lines: Iterable[str], depth: int) -> list[str]:
    """Return the lines of a docstring at a depth of indentation; blank lines around the text are dropped, as is trailing space.

    A first line that is a sentence is parted from what follows by a blank line (PEP 257). A paragraph with a line that is too long is
    filled anew, and if it is the first one, its first sentence stands alone. There must be some text.
    """
    margin = "    " * depth
    text = _trim(lines)
    if len(text) > 1 and text[1] and text[0].endswith((".", "!", "?")):
        text.insert(1, "")
    text = _wrapped(text, LINE_LENGTH - len(margin))
    opening, text = _docstring_form(text)
    if len(text) == 1:
        return [f"{margin}{opening}{text[0]}{TRIPLE}"]
    first, *rest = text
    return [f"{margin}{opening}{first}", *(f"{margin}{line}".rstrip() for line in rest), f"{margin}{TRIPLE}"]


def _wrapped(text: list[str], columns: int) -> list[str]:
    """Break the lines that do not fit: prose by paragraphs, all else line by line."""
    # A raw docstring begins with `r"""`, and a quote next to the quotes gets a backslash.
    opening = len(TRIPLE) + (text[0].startswith('"') or any("\\" in line for line in text))
    closing = len(TRIPLE) + text[0].endswith('"')
    if all(_width(line) <= columns for line in text[1:]) and _width(text[0]) <= columns - opening - (closing if len(text) == 1 else 0):
        return text
    result: list[str] = []
    for is_prose, group in groupby(text, key=_is_prose):
        block = list(group)
        before = 0 if result else opening
        if _width(block[0]) <= columns - before and all(_width(line) <= columns for line in block) and len(text) > 1:
            result += block
        elif not is_prose:
            result += [piece for line in block for piece in _filled_line(line, columns - before - closing)]
        elif result:
            result += _filled(" ".join(block).split(), columns, columns)
        else:
            result += _summary_first(" ".join(block), columns - opening, closing, columns)
    return result


def _summary_first(paragraph: str, first: int, closing: int, columns: int) -> list[str]:
    """Fill the first paragraph, its first sentence on a line of its own where that fits."""
    end = _SENTENCE_END.search(paragraph)
    if end and _width(paragraph[: end.end()]) <= first:
        return [paragraph[: end.end()], "", *_filled(paragraph[end.end() :].split(), columns, columns)]
    return list(_filled(paragraph.split(), first - closing, columns))


def _filled_line(line: str, columns: int) -> Iterator[str]:
    """Fill one line of a list or of indented text."""
    if _width(line) <= columns:
        yield line
        return
    item = _ITEM.match(line)
    lead = item.group() if item else ""
    filled = _filled(line[len(lead) :].split(), columns - len(lead), columns - len(lead))
    for index, piece in enumerate(filled):
        yield f"{lead}{piece}" if index == 0 else f"{' ' * len(lead)}{piece}"


def _filled(words: Iterable[str], first: int, columns: int) -> Iterator[str]:
    """Put words into lines of that many columns; a word that is longer has a line of its own."""
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if line and _width(longer) > first:
            yield line
            line, first = word, columns
        else:
            line = longer
    if line:
        yield line


def _is_prose(line: str) -> bool:
    return bool(line) and (line[0].isalpha() or line[0] in "`\"'(“„«")


def _width(line: str) -> int:
    """The columns of a line once it is escaped."""
    return width(escape(line))


def _docstring_form(text: list[str]) -> tuple[str, list[str]]:
    """Return the opening quotes and the lines between the quotes: raw where there are backslashes and that is enough."""
    joined = "\n".join(text)
    touches = joined.startswith('"') or joined.endswith(('"', "\\"))
    if "\\" in joined and not touches and TRIPLE not in joined and escape_unprintable(joined) == joined:
        return f"r{TRIPLE}", text
    escaped = [escape(line) for line in text]
    # A quote next to the quotes around the text would join them.
    if escaped[0].startswith('"'):
        escaped[0] = f"\\{escaped[0]}"
    if len(escaped) == 1 and escaped[0].endswith('"'):
        before = escaped[0][:-1]
        backslashes = len(before) - len(before.rstrip("\\"))
        escaped[0] = f'{before}\\"' if backslashes % 2 == 0 else escaped[0]
    return TRIPLE, escaped


def _trim(lines: Iterable[str]) -> list[str]:
    text = [line.expandtabs(4).rstrip() for piece in lines for line in piece.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while text and not text[0]:
        del text[0]
    while text and not text[-1]:
        del text[-1]
    shared = min((len(line) - len(line.lstrip(" ")) for line in text[1:] if line), default=0)
    return [text[0].strip(), *(line[shared:] for line in text[1:])] if text else [""]
