"""Lines as `ruff format` leaves them: a small set of expressions, each laid out flat where it fits and exploded where it does not.

Exploded calls, tuples and parameter lists get a trailing comma, which formatters keep whatever line length a user has set. The few
statements that stay too long, for a single name or string, are exempted from formatting by `# fmt: skip`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.render.literals import string_literal

# The default line length of ruff and of black.
LINE_LENGTH = 88

_INDENT = "    "
_SKIP = "  # fmt: skip"


@dataclass(frozen=True, slots=True)
class Group:
    """A call, a parameter list or a tuple: `open`, items separated by commas, `close`. A tuple of one keeps its comma when flat."""

    open: str
    items: tuple[Node, ...]
    close: str = ")"
    is_tuple: bool = False


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword argument."""

    name: str
    value: Node


@dataclass(frozen=True, slots=True)
class NoneUnless:
    """`None if <condition> else <value>`, or what is named `instead` of None."""

    condition: str
    value: Node
    instead: str = "None"


@dataclass(frozen=True, slots=True)
class ListComprehension:
    """`[<element> <clause>]`; the clause is `for … in …`. In round brackets it is a generator expression."""

    element: Node
    clause: str
    open: str = "["
    close: str = "]"


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, cut at its spaces into several where it is too long."""

    value: str


Node: TypeAlias = "str | Group | Keyword | NoneUnless | ListComprehension | Text"


def width(text: str) -> int:
    """Return the number of columns of a line: wide East Asian characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def flat(node: Node) -> str:
    """Return the node on one line."""
    match node:
        case str():
            return node
        case Group(open=opening, items=items, close=closing, is_tuple=is_tuple):
            comma = "," if is_tuple and len(items) == 1 else ""
            return f"{opening}{', '.join(map(flat, items))}{comma}{closing}"
        case Keyword(name=name, value=value):
            return f"{name}={flat(value)}"
        case NoneUnless(condition=condition, value=value, instead=instead):
            return f"{instead} if {condition} else {flat(value)}"
        case ListComprehension(element=element, clause=clause, open=opening, close=closing):
            return f"{opening}{flat(element)} {clause}{closing}"
        case Text(value=value):
            return string_literal(value)


def fits(line: str, depth: int) -> bool:
    """Return whether a line at this depth of indentation is short enough."""
    return width(line) + len(_INDENT) * depth <= LINE_LENGTH


def lay_out(node: Node, depth: int, prefix: str = "", suffix: str = "") -> list[str]:
    """Return the lines of `prefix node suffix` at a depth of indentation, flat if that fits, else exploded."""
    margin = _INDENT * depth
    line = f"{prefix}{flat(node)}{suffix}"
    if isinstance(node, str) or fits(line, depth):
        return [margin + line]
    match node:
        case Text(value=value):
            return [f"{margin}{prefix}(", *_pieces(value, depth + 1), f"{margin}){suffix}"]
        case Group(open=opening, items=(Text(value=value),), close=closing):
            return [f"{margin}{prefix}{opening}", *_pieces(value, depth + 1), f"{margin}{closing}{suffix}"]
        case Group(open=opening, items=items, close=closing):
            inner = [text for item in items for text in lay_out(item, depth + 1, suffix=",")]
            return [f"{margin}{prefix}{opening}", *inner, f"{margin}{closing}{suffix}"]
        case Keyword(name=name, value=value):
            return lay_out(value, depth, f"{prefix}{name}=", suffix)
        case NoneUnless():
            return _conditional(node, depth, prefix, suffix)
        case ListComprehension(element=element, clause=clause, open=opening, close=closing):
            inside = f"{flat(element)} {clause}"
            inner = (
                [f"{margin}{_INDENT}{inside}"] if fits(inside, depth + 1) else [*lay_out(element, depth + 1), f"{margin}{_INDENT}{clause}"]
            )
            return [f"{margin}{prefix}{opening}", *inner, f"{margin}{closing}{suffix}"]


def _conditional(node: NoneUnless, depth: int, prefix: str, suffix: str) -> list[str]:
    """Return a condition on several lines; one behind its `else` is on several lines too."""
    margin = _INDENT * depth
    value = node.value
    rest = _conditional(value, depth, "else ", suffix) if isinstance(value, NoneUnless) else lay_out(value, depth, "else ", suffix)
    return [f"{margin}{prefix}{node.instead}", f"{margin}if {node.condition}", *rest]


def _pieces(text: str, depth: int) -> list[str]:
    """Return a literal on each line, the spaces between them at the beginning of the later ones."""
    pieces: list[str] = []
    for word in re.split(r"(?<=[^ ])(?= )", text):
        if pieces and fits(string_literal(pieces[-1] + word), depth):
            pieces[-1] += word
        else:
            pieces.append(word)
    return [f"{_INDENT * depth}{string_literal(piece)}" for piece in pieces]


def statement(node: Node, depth: int, prefix: str = "", suffix: str = "") -> list[str]:
    """Return the lines of a whole statement, exempted from formatting if one of them stays too long."""
    return exempt_if_too_long(lay_out(node, depth, prefix, suffix))


def exempt_if_too_long(lines: Iterable[str]) -> list[str]:
    """Return the lines of a statement as they are, or with `# fmt: skip` behind the last one if any is too long."""
    result = list(lines)
    if any(width(line) > LINE_LENGTH for line in result):
        result[-1] += _SKIP
    return result
