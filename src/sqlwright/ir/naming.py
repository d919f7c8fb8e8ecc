"""Python names made from SQL names, as types that only validation can construct.

A name is a `str` that has passed the rule of its kind, so a renderer that takes an `Identifier` never receives a keyword, a dollar sign
or an empty string. Rules: PEP 8 for the shapes, the language reference (section 2.3) for identifiers and keywords.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from functools import lru_cache
from typing import Self

import inflection

# The plural of an acronym is one word: `IDs`, `URLs`. "Is", "As" and "Us" before another word are words (`URLIsValid`), unless they end a
# common acronym (`APIsByUser`).
_PLURAL_END = r"(?:(?:[B-HJ-TV-Z]|(?<=AP)I|(?<=UR)I|(?<=[CG]P)U|(?<=SK)U)s(?![a-z])|[AIU]s(?![A-Za-z]))"
_WORD_START = re.compile(rf"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?!{_PLURAL_END})")
_UNDERSCORES = re.compile(r"_+")

# Names reserved for a generated package's own modules.
_RESERVED_MODULES = frozenset({"adapters", "aio", "constraints", "enums", "models", "register", "registration", "registry"})


class PythonName(str):
    """A valid Python identifier that is not a keyword.

    Raises:
        ValueError: the text is not an identifier, or it is a keyword.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Validate the text and keep it unchanged."""
        if not text.isidentifier() or keyword.iskeyword(text):
            msg = f"{text!r} is not a usable Python name"
            raise ValueError(msg)
        return super().__new__(cls, text)


class Identifier(PythonName):
    """The name of a function, a parameter or a field: `snake_case`."""

    __slots__ = ()

    @classmethod
    def from_sql(cls, text: str) -> Self:
        """Make `user_id` from `user_id`, `userId` or `UserID`; `user_ids` from `UserIDs`; `class_` from `class`; `n_2fa` from `2fa`."""
        return cls(_usable("_".join(_words(text)).lower()))


class ConstantName(PythonName):
    """The name of a constant or an enum member: `UPPER_CASE`."""

    __slots__ = ()

    @classmethod
    def from_sql(cls, text: str) -> Self:
        """Make `IN_PROGRESS` from `in progress`; `EMPTY` from the empty enum label."""
        if not text:
            return cls("EMPTY")
        return cls(_usable("_".join(_words(text)).upper()).upper())


class ClassName(PythonName):
    """The name of a class: `CapWords`."""

    __slots__ = ()

    @classmethod
    def from_sql(cls, text: str) -> Self:
        """Make `OrderItem` from `order_item`, `GetUser` from `getUser`; capitals inside a word are kept (`URL`)."""
        joined = "".join(word[:1].upper() + word[1:] for word in _words(text))
        return cls(_usable(joined, filler="N"))

    @classmethod
    def from_table(cls, table: str) -> Self:
        """Make `OrderItem` from the table name `order_items`: the last word in the singular."""
        *front, last = _words(table) or (table,)
        return cls.from_sql("_".join([*front, _singular(last)]))


class ModuleName(PythonName):
    """The name of a module of query functions, from the name of its .sql file."""

    __slots__ = ()

    @classmethod
    def from_file(cls, file_name: str) -> Self:
        """Make `user_orders` from `user-orders.sql`; a name reserved for the package itself gets a trailing underscore."""
        stem = file_name.rsplit("/", 1)[-1].removesuffix(".sql")
        name = _usable("_".join(_words(stem)).lower())
        return cls(f"{name}_" if name in _RESERVED_MODULES else name)


@lru_cache(maxsize=4096)
def distinct_members(labels: tuple[str, ...]) -> tuple[ConstantName, ...]:
    """Name an enum's labels, in order; labels that would share a name get `_2`, `_3`… in the enum's order.

    Cached, since every package over a schema names the constraints of all its tables.
    """
    wanted = [ConstantName.from_sql(label) for label in labels]
    taken = set(wanted)
    seen: set[ConstantName] = set()
    names: list[ConstantName] = []
    for name in wanted:
        candidate, number = name, 2
        while candidate in seen or (candidate != name and candidate in taken):
            candidate = ConstantName(f"{name}_{number}")
            number += 1
        seen.add(candidate)
        names.append(candidate)
    return tuple(names)


@lru_cache(maxsize=4096)
def _singular(word: str) -> str:
    """Return the word in the singular. Cached, since every package over a schema names all its tables."""
    return inflection.singularize(word)


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Split at capitals, and at every character not allowed in an identifier. Cached, since the same column names recur in a schema."""
    # Python compares identifiers after NFKC, so a name that is not normalised would differ from what it looks like.
    normal = text if text.isascii() and text.isidentifier() else _normal(text)
    spaced = _WORD_START.sub("_", normal)
    return tuple(word for word in _UNDERSCORES.split(spaced) if word)


def _normal(text: str) -> str:
    return "".join(char if f"n{char}".isidentifier() else "_" for char in unicodedata.normalize("NFKC", text))


def _usable(name: str, filler: str = "n_") -> str:
    """Fix what remains: an empty name, a leading digit (or a mark that may not lead), or a keyword."""
    if not name:
        name = "column" if filler.islower() else "Column"
    if not name.isidentifier():
        name = filler + name
    return f"{name}_" if keyword.iskeyword(name) else name
