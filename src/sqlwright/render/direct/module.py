"""The text of the module, and which query functions use it."""

from __future__ import annotations

from string import Template

from sqlwright import ir
from sqlwright.options import Clients
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, SYNC, Colour
from sqlwright.render.direct.calls import EXECUTE, EXECUTE_COUNT, EXECUTE_PREPARED, FETCH_ALL, FETCH_ONE
from sqlwright.render.direct.reader import ASYNC_HELPERS, ASYNC_IMPORTS, CALL, LIMITS, READER, READERS
from sqlwright.render.direct.session import HELPERS, IMPORTS, SESSION, SESSIONS, STATES, TYPES
from sqlwright.render.execution import EXECUTION_MODULE
from sqlwright.render.header import header_line
from sqlwright.render.pgvalues import keeps_intervals

# No query file can have this name: those begin with a letter.
DIRECT_MODULE = "_direct"


def is_direct(query: ir.Query) -> bool:
    """Return whether a query's function can do without a cursor: neither its result nor its loaders need one."""
    return isinstance(query.result, ir.NoResult | ir.RowCount | ir.One | ir.Many) and not keeps_intervals(query)


def makes_direct_calls(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return bool(_results(package))


def direct_module(package: ir.Package, clients: Clients) -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Calls of prepared statements without a cursor.", taken=())
    asynchronous = clients is not Clients.SYNC
    for imports in [IMPORTS, *[ASYNC_IMPORTS] * asynchronous]:
        for module, names in imports.items():
            for name in names:
                builder.name(module, name)
    if asynchronous:
        builder.module("os")
    for constant in [TYPES, *[CALL] * asynchronous, STATES, *[LIMITS] * asynchronous]:
        builder.add_constant(constant.splitlines())
    builder.add_definition(SESSION.splitlines())
    if asynchronous:
        builder.add_definition(READER.splitlines())
    builder.add_constant([SESSIONS])
    if asynchronous:
        builder.add_constant([READERS])
    for colour in [*[SYNC] * (clients is not Clients.ASYNC), *[ASYNC] * asynchronous]:
        for text in _functions(package):
            builder.add_definition(_coloured(builder, text, colour).splitlines())
    for text in [*HELPERS, *ASYNC_HELPERS * asynchronous]:
        builder.add_definition(text.splitlines())
    return builder.text()


def _results(package: ir.Package) -> list[ir.Result]:
    return [query.result for module in package.modules for query in module.queries if is_direct(query)]


def _functions(package: ir.Package) -> list[str]:
    """Return the functions that the package's queries call, and the one that those call."""
    kinds = {type(result) for result in _results(package)}
    texts = {ir.Many: FETCH_ALL, ir.One: FETCH_ONE, ir.NoResult: EXECUTE, ir.RowCount: EXECUTE_COUNT}
    return [*(text for kind, text in texts.items() if kind in kinds), EXECUTE_PREPARED]


def _coloured(builder: ModuleBuilder, text: str, colour: Colour) -> str:
    names = {"connection": builder.name("psycopg", colour.connection), "cursor": builder.name("psycopg", colour.cursor)}
    if "tuple_row" in text:
        builder.name("psycopg.rows", "tuple_row")
    if "$execute_now" in text:
        names["execute_now"] = builder.name(f".{EXECUTION_MODULE}", colour.execute_now)
    results = "await wait_for(conn, generator)" if colour is ASYNC else "conn.wait(generator)"
    return Template(text).substitute(names, define=colour.define, wait=colour.wait, enter=colour.enter, a=colour.prefix, results=results)
