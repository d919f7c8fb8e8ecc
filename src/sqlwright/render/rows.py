"""Row classes: a slots dataclass each, shared ones in the package's models module."""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, Keyword, Node, NoneUnless, fits, statement
from sqlwright.render.literals import docstring
from sqlwright.render.pgvalues import free_name, is_converted, json_alias
from sqlwright.render.values import Values


def models_module(package: ir.Package, *, with_json: bool) -> str:
    """Give the text of models.py: the JSON alias if some query needs it, and the shared row classes."""
    alias = json_alias(package)
    builder = ModuleBuilder(
        header=header_line(),
        doc="Row classes that queries share.",
        taken=[alias, *names_in(package.models)],
    )
    values = Values(builder, enums=".enums", models="", json_alias=alias)
    if with_json:
        builder.add_constant(_json_lines(builder, alias))
    for model in package.models:
        add_row_class(builder, values, model)
    return builder.text()


def names_in(row_classes: Iterable[ir.RowClass]) -> list[str]:
    """The names of row classes and of their fields."""
    return [name for row in row_classes for name in (row.name, *(field.name for field in row.fields))]


def add_row_class(builder: ModuleBuilder, values: Values, row: ir.RowClass) -> None:
    """Add a row class; one whose columns need a conversion gets a constructor from a plain row."""
    lines = [
        f"@{builder.name('dataclasses', 'dataclass')}(slots=True)",
        f"class {row.name}:",
        *docstring([row.doc.strip() or f"A row of `{row.table or row.name}`."], 1),
    ]
    if row.fields:
        lines.append("")
    for field in row.fields:
        lines += statement(f"{field.name}: {values.field_annotation(field)}", 1)
        if isinstance(field, ir.Column) and field.doc.strip():
            lines += docstring([field.doc], 1)
    if needs_conversion(row.fields):
        lines += ["", *_from_row(builder, values, row)]
    builder.add_definition(lines)


def needs_conversion(fields: Iterable[ir.Field]) -> bool:
    """Tell whether psycopg's values of these fields are not yet the annotated ones."""
    return any(isinstance(field, ir.Embedded) or is_converted(field.type) for field in fields)


def from_row_name(fields: Iterable[ir.Field]) -> str:
    """The name of the constructor from a plain row: one that no field has."""
    return free_name("from_row", {field.name for field in fields})


def _from_row(builder: ModuleBuilder, values: Values, row: ir.RowClass) -> list[str]:
    arguments: list[Keyword] = []
    index = 0
    for field in row.fields:
        if isinstance(field, ir.Embedded):
            arguments.append(Keyword(field.name, _embedded(values, field, index)))
            index += len(field.columns)
        else:
            arguments.append(Keyword(field.name, values.loaded(field.type, f"row[{index}]")))
            index += 1
    any_row = f"{builder.builtin('tuple')}[{builder.name('typing', 'Any')}, ...]"
    return [
        f"    @{builder.builtin('classmethod')}",
        *statement(
            Group(f"def {from_row_name(row.fields)}(", ("cls", f"row: {any_row}")), 1, suffix=f" -> {builder.name('typing', 'Self')}:"
        ),
        '        """Make a row of what psycopg gives."""',
        *statement(Group("cls(", tuple(arguments)), 2, "return "),
    ]


def _embedded(values: Values, field: ir.Embedded, start: int) -> Node:
    """The embedded row, made of its stretch of the plain row; None where its witness is."""
    stretch = f"row[{start}:{start + len(field.columns)}]"
    row_class = values.model(field.row_class)
    if needs_conversion(field.columns):
        made = Group(f"{row_class}.{from_row_name(field.columns)}(", (stretch,))
    else:
        made = Group(f"{row_class}(", (f"*{stretch}",))
    return NoneUnless(f"row[{start + field.witness}] is None", made) if field.optional else made


def _json_lines(builder: ModuleBuilder, alias: str) -> list[str]:
    members = (
        f'{builder.builtin("dict")}[{builder.builtin("str")}, "{alias}"]',
        f'{builder.builtin("list")}["{alias}"]',
        *(builder.builtin(name) for name in ("str", "int", "float", "bool")),
        "None",
    )
    joined = " | ".join(members)
    first, *rest = members
    lines = [joined] if fits(joined, 1) else [first, *(f"| {member}" for member in rest)]
    return [f"{alias}: {builder.name('typing', 'TypeAlias')} = (", *(f"    {line}" for line in lines), ")"]
