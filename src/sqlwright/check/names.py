"""The check of names that need no proof: those of modules and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic, Place

_Item = TypeVar("_Item")


def check_names(package: ir.UnprovenPackage) -> list[Diagnostic]:
    """Report files that would be the same module, and queries that would be the same function, also those that cannot be proven."""
    found = list(_modules(package))
    for module in package.modules:
        found += _functions(module)
    return found


def pairs(items: Iterable[_Item], key: Callable[[_Item], str]) -> Iterator[tuple[_Item, _Item]]:
    """Yield each item whose key an earlier item has, paired with that earlier item."""
    first: dict[str, _Item] = {}
    for item in items:
        if key(item) in first:
            yield first[key(item)], item
        else:
            first[key(item)] = item


def _modules(package: ir.UnprovenPackage) -> Iterator[Diagnostic]:
    for first, second in pairs(package.modules, lambda module: module.name):
        yield Diagnostic(
            Code.NAME_COLLISION,
            f"{first.source_file} and {second.source_file} would both be module `{second.name}`",
            Place(second.source_file),
            help="rename one of the files.",
        )


def _functions(module: ir.UnprovenModule) -> Iterator[Diagnostic]:
    for first, second in pairs(module.queries, lambda query: query.function):
        yield Diagnostic(
            Code.NAME_COLLISION,
            f"queries {first.name} and {second.name} would both be function `{second.function}`",
            second.source.header_place(),
            label=f"{first.name} is at line {first.source.line}",
            help="rename one of them.",
        )
