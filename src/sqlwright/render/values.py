"""Annotations and conversions of values, as expressions in one generated module."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.layout import Group, ListComprehension, Node, NoneUnless
from sqlwright.render.pgvalues import ENUM_ARRAY, holds_json, innermost, is_enum_array


class Values:
    """Writes values of one module. `enums` and `models` are the relative names of the package's modules; `models` is "" inside models."""

    def __init__(self, builder: ModuleBuilder, *, enums: str, models: str, json_alias: str) -> None:
        self._builder = builder
        self._enums = enums
        self._models = models
        self._json_alias = json_alias

    def annotation(self, found: ir.Type) -> str:
        """The annotation of a value of this type."""
        if isinstance(innermost(found), ir.Opaque):
            # psycopg loads an array of a type that it does not know as text, so not even a list is certain.
            return self._builder.builtin("object")
        return f"{self._value(found.value)} | None" if isinstance(found, ir.Nullable) else self._value(found)

    def field_annotation(self, field: ir.Field) -> str:
        """The annotation of a field of a row class."""
        if isinstance(field, ir.Embedded):
            return f"{self.model(field.row_class)}{' | None' if field.optional else ''}"
        return self.annotation(field.type)

    def model(self, name: str) -> str:
        """A shared row class."""
        return self._builder.name(self._models, name) if self._models else name

    def _value(self, found: ir.ValueType) -> str:
        match found:
            case ir.Scalar(python_module=module, python_name=name):
                return self._builder.class_of(module, name)
            case ir.Json():
                return self.model(self._json_alias)
            case ir.EnumRef(class_name=name):
                return self._builder.name(self._enums, name)
            case ir.ListOf(element=element):
                return f"{self._builder.builtin('list')}[{self.annotation(element)}]"
            case ir.Opaque():
                return self._builder.builtin("object")

    def loaded(self, found: ir.Type, value: str) -> Node:
        """The annotated value, made of the expression `value` that is what psycopg gives for a column of this type."""
        match found:
            case ir.Nullable(value=ir.EnumRef() as inner):
                return NoneUnless(f"{value} is None", self.loaded(inner, value))
            case ir.Nullable(value=inner):
                return self.loaded(inner, value)
            case ir.EnumRef(class_name=name):
                return Group(f"{self._builder.name(self._enums, name)}(", (value,))
            case ir.ListOf() if is_enum_array(found):
                return Group(f"{self._builder.name(self._enums, ENUM_ARRAY)}(", (value,))
            case _:
                return value

    def dumped(self, found: ir.Type, name: str, item: str) -> Node:
        """What is handed to psycopg for the parameter `name`; `item` is a free name for a loop."""
        match found:
            case ir.Nullable(value=inner) if holds_json(found):
                return NoneUnless(f"{name} is None", self.dumped(inner, name, item))
            case ir.Json(postgres=postgres):
                wrapper = self._builder.name("psycopg.types.json", "Jsonb" if postgres == "jsonb" else "Json")
                return Group(f"{wrapper}(", (name,))
            case ir.ListOf(element=element) if holds_json(found):
                return ListComprehension(self.dumped(element, item, item), f"for {item} in {name}")
            case _:
                return name
