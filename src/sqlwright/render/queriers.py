"""`Querier` and `AsyncQuerier`: the classes of sqlc-gen-python, as methods over a module's functions.

Callers of sqlc-gen-python find the same names, keyword parameters or one `arg`, and an iterator from `:many`. Source: its generated
examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, Colour
from sqlwright.render.docstrings import docstring
from sqlwright.render.layout import Group, statement
from sqlwright.render.pages import CURSOR, is_paged
from sqlwright.render.pgvalues import free_name
from sqlwright.render.variants import ORDER


@dataclass(frozen=True, slots=True)
class Method:
    """A query as a method: its docstring and parameters, and the annotation of its result, or of a row where it is one of many."""

    query: ir.Query
    doc: tuple[str, ...]
    parameters: tuple[str, ...]
    annotation: str


@dataclass(frozen=True, slots=True)
class Queriers:
    """Which of the classes a package has."""

    sync: bool = False
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class QuerierClass:
    """One of the classes in a module; `functions` is the relative name of the package that holds its functions' module, "" for its own."""

    colour: Colour
    functions: str = ""

    @property
    def name(self) -> str:
        """The class's name."""
        return "AsyncQuerier" if self.colour is ASYNC else "Querier"


def class_names(queriers: Sequence[QuerierClass]) -> list[str]:
    """Return the names that the classes bind in their module."""
    return [querier.name for querier in queriers]


def add_queriers(
    builder: ModuleBuilder, queriers: Sequence[QuerierClass], module: str, methods: Callable[[Colour], Sequence[Method]]
) -> None:
    """Add the classes to a module of that name; `methods` returns the queries as methods in a colour."""
    for querier in queriers:
        any_connection = f"{builder.name('psycopg', querier.colour.connection)}[{builder.name('typing', 'Any')}]"
        lines = [
            f"class {querier.name}:",
            '    """The functions of this module as methods, with one connection."""',
            "",
            f"    def __init__(self, conn: {any_connection}) -> None:",
            "        self._conn = conn",
        ]
        for method in methods(querier.colour):
            lines += ["", *_method(builder, querier, module, method)]
        builder.add_definition(lines)


def _method(builder: ModuleBuilder, querier: QuerierClass, module: str, method: Method) -> list[str]:
    colour, query, parameters, annotation = querier.colour, method.query, method.parameters, method.annotation
    keywords = [*(str(param.name) for param in query.params), *([ORDER] if query.variants and query.variants.orders else [])]
    keywords += [CURSOR] * is_paged(query)
    names: set[str] = set() if query.params_class else set(keywords)
    # pyright wants "self", or a leading underscore, which no parameter has.
    self = "_self" if "self" in names else "self"
    arguments: tuple[str, ...] = tuple(f"{name}={name}" for name in keywords)
    if query.takes_rows:
        arguments = ("rows",)
    elif query.params_class is not None:
        parameters, arguments = tuple(parameter.replace("params:", "arg:", 1) for parameter in parameters), ("arg",)
    function: str = query.function
    imported: list[str] = []
    if querier.functions:
        # The modules of the two colours import each other, so one is imported when the other is still incomplete.
        others = free_name(module, {*names, self, "arg", "rows"})
        function = f"{others}.{query.function}"
        imported = [f"        from {querier.functions} import {module}" + ("" if others == module else f" as {others}"), ""]
    elif function in {*names, self, "arg", "rows"}:
        # A parameter hides the function that has its name.
        function = free_name(builder.free(f"call_{function}"), names)
        builder.add_constant([f"{function} = {query.function}"])
    call = Group(f"{function}(", (f"{self}._conn", *arguments))
    asynchronous = colour is ASYNC
    match query.result:
        case ir.Stream():
            define, returns = "def ", f"{builder.name('collections.abc', colour.generator)}[{annotation}]"
            body = statement(call, 2, "return ")
        case ir.Many(paged=False) if asynchronous:
            define, returns = colour.define, f"{builder.name('collections.abc', 'AsyncIterator')}[{annotation}]"
            row = free_name("row", {*names, function.partition(".")[0]})
            body = [*statement(call, 2, f"for {row} in await ", ":"), f"            yield {row}"]
        case ir.Many(paged=False):
            define, returns = colour.define, f"{builder.name('collections.abc', 'Iterator')}[{annotation}]"
            body = statement(Group(f"{builder.builtin('iter')}(", (call,)), 2, "return ")
        case ir.NoResult() | ir.Batch(each=ir.NoResult()):
            define, returns = colour.define, annotation
            body = statement(call, 2, colour.wait)
        case _:
            define, returns = colour.define, annotation
            body = statement(call, 2, f"return {colour.wait}")
    signature = statement(Group(f"{define}{query.function}(", (self, *parameters)), 1, suffix=f" -> {returns}:")
    return [*signature, *docstring(method.doc, 2), *imported, *body]
