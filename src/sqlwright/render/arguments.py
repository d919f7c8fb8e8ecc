"""The parameters of a generated function: keywords, one object, or an iterable of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, Colour
from sqlwright.render.docstrings import docstring
from sqlwright.render.late_classes import dataclass_decorator
from sqlwright.render.layout import statement
from sqlwright.render.literals import string_literal
from sqlwright.render.pages import CURSOR, is_paged
from sqlwright.render.values import Values
from sqlwright.render.variants import ORDER, UNSET, UNSET_TYPE, order_alias

_NONE = " | None"


def add_params_class(builder: ModuleBuilder, values: Values, query: ir.Query, name: str) -> None:
    """Add the class of a query's parameter objects."""
    params = sorted(query.params, key=lambda param: param.number)
    lines = [
        # A field with a default may stand before others then.
        f"@{builder.name('dataclasses', 'dataclass')}(slots=True, kw_only=True)" if query.variants else dataclass_decorator(builder),
        f"class {name}:",
        *docstring([f"The parameters of `{query.function}`."], 1),
        "",
    ]
    for field in _fields(builder, values, query, params, ""):
        lines += statement(field, 1)
    builder.add_definition(lines)


def call_parameters(builder: ModuleBuilder, values: Values, query: ir.Query, colour: Colour, definitions: str) -> tuple[str, ...]:
    """Return the parameters after the connection, as a signature has them; `definitions` is the module of their class, "" for this one."""
    if query.params_class is None:
        named = tuple(_fields(builder, values, query, query.params, definitions))
        return ("*", *named) if named else ()
    params_class = builder.name(definitions, query.params_class) if definitions else query.params_class
    if not query.takes_rows:
        return (f"params: {params_class}",)
    iterables = f"{builder.name('collections.abc', 'Iterable')}[{params_class}]"
    if isinstance(query.result, ir.Copied) and colour is ASYNC:
        iterables += f" | {builder.name('collections.abc', 'AsyncIterable')}[{params_class}]"
    return (f"rows: {iterables}",)


def _fields(builder: ModuleBuilder, values: Values, query: ir.Query, params: Iterable[ir.Param], definitions: str) -> Iterator[str]:
    """Yield each parameter with its annotation, and its default if it may be left out; the order and the cursor come last."""
    variants = query.variants
    for param in params:
        annotation = values.annotation(param.type)
        default = ""
        if variants is not None and param.number in variants.optional:
            # None is the last in a union.
            plain = annotation.removesuffix(_NONE)
            annotation = f"{plain} | {values.variants_name(UNSET_TYPE)}{annotation.removeprefix(plain)}"
            default = f" = {values.variants_name(UNSET)}"
        yield f"{param.name}: {annotation}{default}"
    if variants is not None and variants.orders:
        alias = builder.name(definitions, order_alias(query)) if definitions else order_alias(query)
        yield f"{ORDER}: {alias} = {string_literal(variants.orders[0].name)}"
    if is_paged(query):
        yield f"{CURSOR}: {builder.builtin('str')} | None = None"


def order_field(query: ir.Query) -> str:
    """Return the expression of the order in the function's body; "" for a query without orders."""
    if query.variants is None or not query.variants.orders:
        return ""
    return ORDER if query.params_class is None else f"params.{ORDER}"


def cursor_field(query: ir.Query) -> str:
    """Return the expression of the cursor in the function's body; "" for a query without pages."""
    if not is_paged(query):
        return ""
    return CURSOR if query.params_class is None else f"params.{CURSOR}"


def param_fields(query: ir.Query) -> Mapping[int, str]:
    """Return the expression of each parameter in the function's body, by its number."""
    prefix = "" if query.params_class is None else "row." if query.takes_rows else "params."
    return {param.number: f"{prefix}{param.name}" for param in query.params}
