"""The registry module: every query of the package as a value, for logging, metrics and tests."""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, Keyword, exempt_if_too_long, lay_out
from sqlwright.render.literals import string_literal

_FIELDS = (
    ("name", "str"),
    ("sql", "str"),
    ("file", "str"),
    ("command", "str"),
    ("reads", "tuple[str, ...]"),
    ("writes", "tuple[str, ...]"),
)


def registry_module(modules: Iterable[ir.Module]) -> str:
    """Return the text of registry.py."""
    builder = ModuleBuilder(header=header_line(), doc="Every query of this package, by name.", taken=["Query", "QUERIES"])
    builder.add_definition(
        [
            f"@{builder.name('dataclasses', 'dataclass')}(frozen=True, slots=True)",
            "class Query:",
            '    """A query; tables and views that it reads and writes are `schema.table`."""',
            "",
            *(f"    {name}: {annotation}" for name, annotation in _FIELDS),
        ]
    )
    lines: list[str] = []
    for module in modules:
        for query in module.queries:
            call = Group(
                "Query(",
                (
                    Keyword("name", string_literal(query.name)),
                    Keyword("sql", f"{builder.name('.', module.name)}.{query.constant}{'.sql' if query.variants else ''}"),
                    Keyword("file", string_literal(module.source_file)),
                    Keyword("command", string_literal(query.command)),
                    Keyword("reads", _tables(query.reads)),
                    Keyword("writes", _tables(query.writes)),
                ),
            )
            lines += lay_out(call, 1, f"{string_literal(query.name)}: ", ",")
    head = f"QUERIES: {builder.name('typing', 'Final')}[dict[str, Query]] = {{"
    builder.add_constant(exempt_if_too_long([head, *lines, "}"] if lines else [f"{head}}}"]))
    return builder.text()


def _tables(names: tuple[str, ...]) -> Group:
    return Group("(", tuple(map(string_literal, names)), is_tuple=True)
