"""Row classes in the style that the package has, shared ones in its models module, which also holds the `NewType`s of domains."""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.docstrings import docstring
from sqlwright.render.header import header_line
from sqlwright.render.late_classes import dataclass_decorator
from sqlwright.render.layout import Group, Keyword, Node, NoneUnless, fits, statement
from sqlwright.render.literals import string_literal
from sqlwright.render.pgvalues import free_name, json_alias
from sqlwright.render.values import Values, to_row_name
from sqlwright.types.valuetypes import parts


def models_module(package: ir.Package, *, with_json: bool) -> str:
    """Return the text of models.py: the JSON alias if some query needs it, and the shared row classes."""
    alias = json_alias(package)
    builder = ModuleBuilder(
        header=header_line(),
        doc="Row classes that queries share.",
        taken=[
            *([] if package.row_style is ir.RowStyle.PYDANTIC else [alias]),
            *names_in(package.models),
            *(found.name for found in package.new_types),
        ],
    )
    values = Values(builder, package, root=".", json_alias=alias, in_models=True)
    if with_json and package.row_style is not ir.RowStyle.PYDANTIC:
        builder.add_constant(_json_lines(builder, alias))
    for found in package.new_types:
        new_type = Group(f"{builder.name('typing', 'NewType')}(", (string_literal(found.name), values.annotation(found.value)))
        builder.add_constant([*statement(new_type, 0, f"{found.name} = "), *(docstring([found.doc], 0) if found.doc.strip() else [])])
    for model in _parts_first(package.models):
        add_row_class(builder, values, model)
    return builder.text()


def names_in(row_classes: Iterable[ir.RowClass]) -> list[str]:
    """Return the names of row classes and of their fields."""
    return [name for row in row_classes for name in (row.name, *(field.name for field in row.fields))]


def add_row_class(builder: ModuleBuilder, values: Values, row: ir.RowClass) -> None:
    """Add a row class; one whose columns need a conversion gets a constructor from a plain row."""
    lines = [*_head(builder, values.row_style, row.name), *docstring([row.doc.strip() or f"A row of `{row.table or row.name}`."], 1)]
    if row.fields:
        lines.append("")
    if values.row_style is ir.RowStyle.PYDANTIC:
        lines += [*_pydantic_config(builder), ""]
    for field in row.fields:
        lines += statement(f"{field.name}: {values.field_annotation(field)}", 1)
        if isinstance(field, ir.Column) and field.doc.strip():
            lines += docstring([field.doc], 1)
    if values.converts(row.fields):
        lines += ["", *_from_row(builder, values, row)]
    if row.composite:
        lines += ["", *_to_row(builder, values, row)]
    builder.add_definition(lines)


def _head(builder: ModuleBuilder, style: ir.RowStyle, name: str) -> list[str]:
    match style:
        case ir.RowStyle.DATACLASS:
            return [dataclass_decorator(builder), f"class {name}:"]
        case ir.RowStyle.FROZEN:
            return [f"@{builder.name('dataclasses', 'dataclass')}(frozen=True, slots=True)", f"class {name}:"]
        case ir.RowStyle.NAMEDTUPLE:
            return [f"class {name}({builder.name('typing', 'NamedTuple')}):"]
        case ir.RowStyle.PYDANTIC:
            return [f"class {name}({builder.name('pydantic', 'BaseModel')}):"]


def _parts_first(models: Iterable[ir.RowClass]) -> list[ir.RowClass]:
    """Return the classes, each after those that it refers to: pydantic and named tuples need them defined."""
    known = {model.name: model for model in models}
    ordered: dict[str, ir.RowClass] = {}

    def visit(model: ir.RowClass) -> None:
        for column in ir.columns_in(model.fields):
            for part in parts(column.type):
                if isinstance(part, ir.CompositeRef) and part.class_name in known and part.class_name not in ordered:
                    visit(known[part.class_name])
        ordered.setdefault(model.name, model)

    for model in known.values():
        visit(model)
    return list(ordered.values())


def from_row_name(fields: Iterable[ir.Field]) -> str:
    """Return the name of the constructor from a plain row: one that no field has."""
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
        '        """Build a row from the values that psycopg loads."""',
        *statement(Group("cls(", tuple(arguments)), 2, "return "),
    ]


def _to_row(builder: ModuleBuilder, values: Values, row: ir.RowClass) -> list[str]:
    """Composites are sent as tuples: psycopg writes those, nested and in arrays, in the text form that PostgreSQL reads."""
    fields = tuple(values.dumped(column.type, f"self.{column.name}", "item") for column in ir.columns_in(row.fields))
    any_row = f"{builder.builtin('tuple')}[{builder.name('typing', 'Any')}, ...]"
    return [
        *statement(Group(f"def {to_row_name(row.fields)}(", ("self",)), 1, suffix=f" -> {any_row}:"),
        '        """Return the tuple that psycopg sends."""',
        *statement(Group("(", fields, is_tuple=True), 2, "return "),
    ]


def _embedded(values: Values, field: ir.Embedded, start: int) -> Node:
    """Return the embedded row, made of its slice of the plain row; None where its presence column is."""
    part = f"row[{start}:{start + len(field.columns)}]"
    row_class = values.model(field.row_class)
    if values.converts(field.columns):
        made = Group(f"{row_class}.{from_row_name(field.columns)}(", (part,))
    else:
        made = Group(f"{row_class}(", (f"*{part}",))
    if not field.optional or field.presence_column is None:
        return made
    return NoneUnless(f"row[{start + field.presence_column}] is None", made)


def _pydantic_config(builder: ModuleBuilder) -> list[str]:
    """Accept NaN, infinities, ranges and the user's own classes as they are, and columns called `model_name`."""
    options = ("allow_inf_nan=True", "arbitrary_types_allowed=True", "protected_namespaces=()")
    config = Group(f"{builder.name('pydantic', 'ConfigDict')}(", options)
    return statement(config, 1, "model_config = ")


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
