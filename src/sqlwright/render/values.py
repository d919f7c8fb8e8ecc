"""Annotations and conversions of values, as expressions in one generated module."""

from __future__ import annotations

from collections.abc import Iterable

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.layout import Group, ListComprehension, Node, NoneUnless
from sqlwright.render.pgvalues import (
    ARRAY_TEXT,
    BOXES_TEXT,
    DUMP_JSON,
    HSTORE_TEXT,
    INTERVAL,
    KEEP_INTERVALS,
    LOAD_JSON,
    REGISTERED,
    VECTOR_TEXT,
    free_name,
    has_own_conversion,
    innermost,
    is_dumped,
    is_float,
)
from sqlwright.render.variants import UNSET, VARIANTS_MODULE
from sqlwright.types.formats import is_converted
from sqlwright.types.valuetypes import holds_arrays, is_box


class Values:
    """Writes values of one module.

    `root` is the relative name of the package ("." or ".."); with `in_models` the module is the package's models itself.
    """

    def __init__(self, builder: ModuleBuilder, package: ir.Package, *, root: str, json_alias: str, in_models: bool = False) -> None:
        self._builder = builder
        self._enums = f"{root}enums"
        self._models = "" if in_models else f"{root}models"
        self._adapters = f"{root}adapters"
        self._variants = f"{root}{VARIANTS_MODULE}"
        self._json_alias = json_alias
        self.row_style = package.row_style

    def annotation(self, found: ir.Type) -> str:
        """Return the annotation of a value of this type."""
        if isinstance(innermost(found), ir.Opaque):
            # psycopg loads an array of a type that it does not know as text, so not even a list is certain.
            return self._builder.builtin("object")
        return f"{self._value(found.value)} | None" if isinstance(found, ir.Nullable) else self._value(found)

    def variants_name(self, name: str) -> str:
        """Mention a name of the package's module of variants."""
        return self._builder.name(self._variants, name)

    def optional(self, name: str, dumped: Node) -> Node:
        """Return what is sent for a parameter that may be left out: `UNSET` passes as it is."""
        if dumped == name:
            return dumped
        unset = self.variants_name(UNSET)
        return NoneUnless(f"{name} is {unset}", dumped, unset)

    def field_annotation(self, field: ir.Field) -> str:
        """Return the annotation of a field of a row class."""
        if isinstance(field, ir.Embedded):
            return f"{self.model(field.row_class)}{' | None' if field.optional else ''}"
        return self.annotation(field.type)

    def model(self, name: str) -> str:
        """Return the expression for a shared row class."""
        return self._builder.name(self._models, name) if self._models else name

    def converts(self, fields: Iterable[ir.Field]) -> bool:
        """Return whether rows are not made of psycopg's values by position."""
        return self.row_style is ir.RowStyle.PYDANTIC or any(isinstance(field, ir.Embedded) or is_converted(field.type) for field in fields)

    def _value(self, found: ir.ValueType) -> str:  # noqa: C901, PLR0912 - a case for each type
        match found:
            case ir.Scalar(python_module=module, python_name=name):
                return self._builder.class_of(module, name)
            case ir.Json():
                return self._json()
            case ir.EnumRef(class_name=name):
                return self._builder.name(self._enums, name)
            case ir.UnionOf(members=members):
                return " | ".join(self._value(member) for member in members)
            case ir.RangeOf(element=element, multiple=multiple):
                module, name = ("psycopg.types.multirange", "Multirange") if multiple else ("psycopg.types.range", "Range")
                return f"{self._builder.name(module, name)}[{self._value(element)}]"
            case ir.CompositeRef(class_name=name) | ir.DomainRef(class_name=name):
                return self.model(name)
            case ir.ExactInterval():
                return self._builder.name(self._adapters, INTERVAL)
            case ir.Hstore():
                text = self._builder.builtin("str")
                return f"{self._builder.builtin('dict')}[{text}, {text} | None]"
            case ir.Vector():
                return f"{self._builder.builtin('list')}[{self._builder.builtin('float')}]"
            case ir.Overridden(python=python) | ir.TypedJson(python=python):
                return self._object(python)
            case ir.ListOf(element=element):
                return f"{self._builder.builtin('list')}[{self.annotation(element)}]"
            case ir.RecordOf(fields=fields):
                return f"{self._builder.builtin('tuple')}[{', '.join(self.annotation(field) for field in fields) or '()'}]"
            case ir.Opaque():
                return self._builder.builtin("object")

    def _json(self) -> str:
        if self.row_style is ir.RowStyle.PYDANTIC:
            return self._builder.name("pydantic", "JsonValue")
        return self.model(self._json_alias)

    def _object(self, found: ir.PythonObject) -> str:
        return self._builder.name(found.module, found.name) if found.module else self._builder.builtin(found.name)

    def loaded(self, found: ir.Type, value: str) -> Node:
        """Return the annotated value, made of the expression `value`, which is what psycopg loads for a column of this type."""
        match found:
            case ir.Nullable(value=inner) if not is_converted(inner) or _passes_none(inner):
                return self.loaded(inner, value)
            case ir.Nullable(value=inner):
                return NoneUnless(f"{value} is None", self.loaded(inner, value))
            case ir.DomainRef(value=inner):
                return self.loaded(inner, value)
            case ir.EnumRef(class_name=name):
                return Group(f"{self._builder.name(self._enums, name)}(", (value,))
            case ir.TypedJson(python=python):
                return Group(f"{self._builder.name(self._adapters, LOAD_JSON)}(", (self._object(python), value))
            case ir.Overridden(value=inner, load=load):
                return Group(f"{self._object(load)}(", (self.loaded(inner, value),)) if load else self.loaded(inner, value)
            case ir.ListOf(element=element, registered=registered) if has_own_conversion(element):
                item = "item" if value != "item" else "each"
                source = f"{self._builder.name(self._adapters, REGISTERED)}({value})" if registered else value
                return ListComprehension(self.loaded(element, item), f"for {item} in {source}")
            case _ if is_converted(found):
                return Group(f"{self._builder.name(self._adapters, REGISTERED)}(", (value,))
            case _:
                return value

    def dumped(self, found: ir.Type, name: str, item: str) -> Node:  # noqa: C901, PLR0912 - as above
        """Return the expression that psycopg sends for the parameter `name`; `item` is a free name for a loop."""
        match found:
            case ir.Nullable(value=inner):
                return NoneUnless(f"{name} is None", self.dumped(inner, name, item)) if is_dumped(inner) else name
            case ir.DomainRef(value=inner):
                return self.dumped(inner, name, item)
            case ir.Json(postgres=postgres):
                return Group(f"{self._wrapper(postgres)}(", (name,))
            case ir.TypedJson(postgres=postgres, python=python):
                dump = self._builder.name(self._adapters, DUMP_JSON)
                return Group(f"{self._wrapper(postgres)}(", (Group(f"{dump}(", (self._object(python), name)),))
            case ir.CompositeRef(fields=fields):
                return f"{name}.{to_row_name(fields)}()"
            case ir.ExactInterval():
                return Group(f"{self._builder.builtin('str')}(", (name,))
            case ir.Hstore():
                return Group(f"{self._builder.name(self._adapters, HSTORE_TEXT)}(", (name,))
            case ir.Vector():
                return Group(f"{self._builder.name(self._adapters, VECTOR_TEXT)}(", (name,))
            case ir.Overridden(value=inner, dump=dump):
                sent = f"{self._object(dump)}({name})" if dump else name
                return self.dumped(inner, sent, item) if is_dumped(inner) else sent
            case ir.ListOf(element=element) if is_box(element):
                return Group(f"{self._builder.name(self._adapters, BOXES_TEXT)}(", (self._boxes(element, name, item),))
            case ir.ListOf(element=element) if holds_arrays(found):
                return ListComprehension(self._array_text(element, item), f"for {item} in {name}")
            case ir.ListOf(element=element) if is_float(element):
                # psycopg refuses a list that holds both int and float.
                number, is_instance, integer = (self._builder.builtin(name) for name in ("float", "isinstance", "int"))
                return ListComprehension(f"{number}({item}) if {is_instance}({item}, {integer}) else {item}", f"for {item} in {name}")
            case ir.ListOf(element=element) if is_dumped(element):
                return ListComprehension(self.dumped(element, item, f"{item}_"), f"for {item} in {name}")
            case _:
                return name

    def _array_text(self, element: ir.Type, name: str) -> Node:
        """Return an element that is an array, as its text."""
        if isinstance(element, ir.Nullable):
            return NoneUnless(f"{name} is None", self._array_text(element.value, name))
        return Group(f"{self._builder.name(self._adapters, ARRAY_TEXT)}(", (self.dumped(element, name, f"{name}_"),))

    def _boxes(self, element: ir.Type, name: str, item: str) -> Node:
        """Return the items of an array of boxes, each as its text."""
        if isinstance(element, ir.ListOf):
            inner = self._boxes(element.element, item, f"{item}_")
            return name if inner == item else ListComprehension(inner, f"for {item} in {name}")
        if not is_dumped(element):
            return name
        return ListComprehension(self.dumped(element, item, f"{item}_"), f"for {item} in {name}")

    def _wrapper(self, postgres: str) -> str:
        return self._builder.name("psycopg.types.json", "Jsonb" if postgres == "jsonb" else "Json")

    def keeping_intervals(self, cursor: str, *, binary: bool) -> str:
        """Return the statement that makes a cursor load intervals of a format without loss; each format costs a few microseconds."""
        return f"{self._builder.name(self._adapters, KEEP_INTERVALS)}({cursor}, binary={binary})"


def to_row_name(fields: Iterable[ir.Field]) -> str:
    """Return the name of the method that turns a composite's value into what psycopg sends: one that no field has."""
    return free_name("to_row", {field.name for field in fields})


def _passes_none(inner: ir.ValueType) -> bool:
    """Return whether the conversion returns None for None."""
    match inner:
        case ir.DomainRef(value=value):
            return _passes_none(value)
        case ir.ListOf(element=element):
            return not has_own_conversion(element)
        case ir.RangeOf() | ir.CompositeRef() | ir.Hstore() | ir.Vector():
            return True
        case _:
            return False
