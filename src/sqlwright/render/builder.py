"""A Python module under construction: mentioning a name returns the expression to write and records its import.

So the import list cannot be out of step with the code. Names of the user (functions, parameters, fields, classes) keep their spelling;
a library name that anything in the module is also called is reached under another one: `import datetime as _datetime`,
`builtins.list`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from sqlwright.render.docstrings import docstring
from sqlwright.render.layout import fits
from sqlwright.render.pgvalues import free_name

_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class _Import:
    """`import module as bound` where `name` is empty, else `from module import name as bound`."""

    module: str
    name: str
    bound: str


class ModuleBuilder:
    """Collects top-level definitions and the imports that they need. `taken`: the names in this module that come from the user's SQL."""

    def __init__(self, *, header: str, doc: str, taken: Iterable[str]) -> None:
        self._header = header
        self._doc = doc
        self._taken = frozenset(taken)
        self._imports: dict[tuple[str, str], _Import] = {}
        self._blocks: list[tuple[bool, list[str]]] = []

    def builtin(self, name: str) -> str:
        """Mention a builtin: `list`, or `builtins.list` where something in the module is called `list`."""
        return f"{self.module('builtins')}.{name}" if name in self._taken else name

    def module(self, module: str) -> str:
        """Mention a module by its own name."""
        return self._record(module, "", module.rsplit(".", 1)[-1])

    def name(self, module: str, name: str) -> str:
        """Mention a name of another module; a module that begins with a dot is of the generated package itself."""
        return self._record(module, name, name)

    def class_of(self, module: str, name: str) -> str:
        """Mention a class: one in CapWords by itself, `datetime.date` and its like through their module; so a field may be a `date`."""
        if not module:
            return self.builtin(name)
        return self.name(module, name) if name[0].isupper() else f"{self.module(module)}.{name}"

    def free(self, wanted: str) -> str:
        """Return the wanted name, with trailing underscores if a name from the user's SQL is the same."""
        return free_name(wanted, self._taken)

    def add_constant(self, lines: Iterable[str]) -> None:
        """Add an assignment at the module's top level."""
        self._blocks.append((False, list(lines)))

    def add_definition(self, lines: Iterable[str]) -> None:
        """Add a function or a class."""
        self._blocks.append((True, list(lines)))

    def text(self) -> str:
        """Return the module's source."""
        lines = [self._header, *docstring([self._doc], 0)]
        for section in self._import_sections():
            lines += ["", *section]
        after_definition = False
        for index, (is_definition, block) in enumerate(self._blocks):
            apart = is_definition or after_definition
            lines += ["", ""] if apart and (index or self._imports) else [""]
            lines += block
            after_definition = is_definition
        return "\n".join(lines) + "\n"

    def _record(self, module: str, name: str, wanted: str) -> str:
        known = self._imports.get((module, name))
        if known is None:
            bound, others = wanted, {other.bound for other in self._imports.values()}
            while bound in self._taken or bound in others:
                bound = f"_{bound}"
            known = self._imports[module, name] = _Import(module, name, bound)
        return known.bound

    def _import_sections(self) -> list[list[str]]:
        """Return the import statements in isort's order: standard library, third party, own package; modules before names."""
        sections: list[list[str]] = [[], [], []]
        for module in sorted({item.module for item in self._imports.values() if not item.name}, key=_natural):
            (item,) = (i for i in self._imports.values() if i.module == module and not i.name)
            sections[_section(module)].append(f"import {module}" + ("" if item.bound == module else f" as {item.bound}"))
        for module in sorted({item.module for item in self._imports.values() if item.name}, key=_module_order):
            members = [item for item in self._imports.values() if item.module == module and item.name]
            sections[_section(module)] += _from_import(module, members)
        return [section for section in sections if section]


def _from_import(module: str, members: list[_Import]) -> list[str]:
    """Write the imports from one module: isort gives each renamed name its own statement, in the order of the first names."""
    plain = sorted((item for item in members if item.bound == item.name), key=lambda item: member_order(item.name))
    statements = [plain] * bool(plain) + [[item] for item in members if item.bound != item.name]
    lines: list[str] = []
    for items in sorted(statements, key=lambda items: member_order(items[0].name)):
        names = tuple(item.name if item.bound == item.name else f"{item.name} as {item.bound}" for item in items)
        line = f"from {module} import {', '.join(names)}"
        lines += [line] if fits(line, 0) else [f"from {module} import (", *(f"    {name}," for name in names), ")"]
    return lines


def _section(module: str) -> int:
    if module.startswith("."):
        return 2
    return 0 if module.split(".", 1)[0] in sys.stdlib_module_names else 1


def _module_order(module: str) -> tuple[int, list[tuple[int, int, str]]]:
    """Parents before siblings: `..models` before `.users`."""
    dots = len(module) - len(module.lstrip("."))
    return -dots, _natural(module.lstrip("."))


def member_order(name: str) -> tuple[int, list[tuple[int, int, str]], str]:
    """Return a key that sorts as isort does: CONSTANTS, then Classes, then the rest, each in natural order whatever the case."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2
    return kind, _natural(name.lower()), name


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that puts `user2` before `user10`; digits with a leading zero stand first, compared as text."""
    return [_natural_part(part) for part in _DIGITS.split(text) if part]


def _natural_part(part: str) -> tuple[int, int, str]:
    if not _DIGITS.fullmatch(part):
        return 2, 0, part
    return (0, 0, part) if part.startswith("0") else (1, int(part), "")
