"""The enums module."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.docstrings import docstring
from sqlwright.render.header import header_line
from sqlwright.render.layout import exempt_if_too_long, fits
from sqlwright.render.literals import string_literal


def enums_module(package: ir.Package) -> str:
    """Return the text of enums.py."""
    builder = ModuleBuilder(header=header_line(), doc="Enums of the database.", taken=[enum.name for enum in package.enums])
    for enum in package.enums:
        _add_enum(builder, enum, str_enum=package.str_enums)
    return builder.text()


def _add_enum(builder: ModuleBuilder, enum: ir.EnumClass, *, str_enum: bool) -> None:
    doc = enum.doc.strip() or f"The enum `{enum.postgres}`."
    bases = builder.name("enum", "StrEnum") if str_enum else f"{builder.builtin('str')}, {builder.name('enum', 'Enum')}"
    lines = [f"class {enum.name}({bases}):", *docstring([doc], 1)]
    if enum.members:
        lines.append("")
    for name, label in enum.members:
        lines += member_lines(name, string_literal(label))
    builder.add_definition(lines)


def member_lines(name: str, literal: str) -> list[str]:
    """Return the assignment of a member of an enum."""
    line = f"{name} = {literal}"
    if fits(line, 1):
        return [f"    {line}"]
    return [f"    {name} = (", f"        {literal}", "    )"] if fits(literal, 2) else exempt_if_too_long([f"    {line}"])
