"""The parameters of a generated function: keywords, one object, or an iterable of objects."""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, Colour
from sqlwright.render.docstrings import docstring
from sqlwright.render.late_classes import dataclass_decorator
from sqlwright.render.layout import statement
from sqlwright.render.values import Values


def add_params_class(builder: ModuleBuilder, values: Values, query: ir.Query, name: str) -> None:
    """Add the class of a query's parameter objects."""
    params = sorted(query.params, key=lambda param: param.number)
    lines = [
        dataclass_decorator(builder),
        f"class {name}:",
        *docstring([f"The parameters of `{query.function}`."], 1),
        "",
    ]
    for param in params:
        lines += statement(f"{param.name}: {values.annotation(param.type)}", 1)
    builder.add_definition(lines)


def call_parameters(builder: ModuleBuilder, values: Values, query: ir.Query, colour: Colour, definitions: str) -> tuple[str, ...]:
    """Return the parameters after the connection, as a signature has them; `definitions` is the module of their class, "" for this one."""
    if query.params_class is None:
        named = tuple(f"{param.name}: {values.annotation(param.type)}" for param in query.params)
        return ("*", *named) if named else ()
    params_class = builder.name(definitions, query.params_class) if definitions else query.params_class
    if not query.takes_rows:
        return (f"params: {params_class}",)
    iterables = f"{builder.name('collections.abc', 'Iterable')}[{params_class}]"
    if isinstance(query.result, ir.Copied) and colour is ASYNC:
        iterables += f" | {builder.name('collections.abc', 'AsyncIterable')}[{params_class}]"
    return (f"rows: {iterables}",)


def param_fields(query: ir.Query) -> Mapping[int, str]:
    """Return the expression of each parameter in the function's body, by its number."""
    prefix = "" if query.params_class is None else "row." if query.takes_rows else "params."
    return {param.number: f"{prefix}{param.name}" for param in query.params}
