"""The text of the module, and which query functions use it."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from sqlwright import ir
from sqlwright.options import Clients
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, SYNC, Colour
from sqlwright.render.direct.batches import (
    ASYNC_BATCH,
    BATCH,
    BATCH_REPLY,
    EXECUTE_BATCH,
    EXECUTE_MANY,
    FETCH_BATCH,
    FETCH_EACH,
    LOAD_EACH,
    MOST,
    SEND_BATCH,
    SYNC_BATCH,
)
from sqlwright.render.direct.calls import (
    ASYNC_STEPS,
    EXECUTE,
    EXECUTE_COUNT,
    EXECUTE_PREPARED,
    FETCH_ALL,
    FETCH_ONE,
    ROLL_BACK,
    SYNC_STEPS,
)
from sqlwright.render.direct.reader import ASYNC_HELPERS, ASYNC_NAMES, LIMITS, READER, READERS
from sqlwright.render.direct.session import (
    CHUNK,
    DUMPED,
    DUMPED_DUMPER,
    HELPERS,
    LOAD_ALL,
    NAMES,
    OUTDATED,
    REPLY,
    SESSION,
    SESSIONS,
    STATES,
    TYPES,
)
from sqlwright.render.error_notes import EACH_RESULT, ROWS_MODULE
from sqlwright.render.execution import EXECUTION_MODULE
from sqlwright.render.header import header_line
from sqlwright.render.pgvalues import keeps_intervals

# No query file can have this name: those begin with a letter.
DIRECT_MODULE = "_direct"


def is_direct(query: ir.Query) -> bool:
    """Return whether a query's function can do without a cursor: neither its result nor its loaders need one."""
    return isinstance(query.result, ir.NoResult | ir.RowCount | ir.One | ir.Many | ir.Batch) and not keeps_intervals(query)


def makes_direct_calls(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return bool(_kinds(package))


def direct_module(package: ir.Package, clients: Clients) -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Calls of prepared statements without a cursor.", taken=())
    colours = [SYNC] * (clients is not Clients.ASYNC) + [ASYNC] * (clients is not Clients.SYNC)
    waits = ASYNC in colours
    _import(builder, NAMES)
    if waits:
        builder.module("os")
        _import(builder, ASYNC_NAMES)
    reads_all = ir.Many in _kinds(package)
    batches, reads_batches = ir.Batch in _kinds(package), _reads_batches(package)
    if reads_all or batches:
        _import(builder, {"collections.abc": ("Iterable", "Iterator")})
    if batches:
        _import(builder, {f".{ROWS_MODULE}": (SYNC.sent_rows,)})
    if reads_batches:
        _import(builder, {f".{ROWS_MODULE}": (EACH_RESULT,)})
    for constants in (TYPES, STATES, *[CHUNK] * reads_all, *[MOST] * batches, *[LIMITS] * waits):
        builder.add_constant(constants.splitlines())
    own = {"reader": "        self.reader: Reader | None = None\n", "slot": '        "reader",\n'}
    session = Template(SESSION).substitute(own if waits else dict.fromkeys(own, ""))
    for class_ in (*[READER] * waits, session, DUMPED, DUMPED_DUMPER, *[BATCH] * batches):
        builder.add_definition(class_.splitlines())
    for kept in (REPLY, *[BATCH_REPLY] * batches, SESSIONS, *[READERS] * waits):
        builder.add_constant(kept.splitlines())
    functions = _functions(package)
    texts = [_coloured(builder, text, colour) for colour in colours for text in functions]
    for text in (*texts, *[LOAD_ALL] * reads_all, *[FETCH_EACH] * batches, *[LOAD_EACH] * reads_batches, *HELPERS, *ASYNC_HELPERS * waits):
        builder.add_definition(text.splitlines())
    return builder.text()


def _import(builder: ModuleBuilder, names: Mapping[str, tuple[str, ...]]) -> None:
    for module, members in names.items():
        for name in members:
            builder.name(module, name)


def _kinds(package: ir.Package) -> set[type[ir.Result]]:
    return {type(query.result) for module in package.modules for query in module.queries if is_direct(query)}


def _batches(package: ir.Package) -> list[ir.Batch]:
    results = (query.result for module in package.modules for query in module.queries if is_direct(query))
    return [result for result in results if isinstance(result, ir.Batch)]


def _reads_batches(package: ir.Package) -> bool:
    return any(not isinstance(batch.each, ir.NoResult) for batch in _batches(package))


def _executes_batches(package: ir.Package) -> bool:
    return any(isinstance(batch.each, ir.NoResult) for batch in _batches(package))


def _functions(package: ir.Package) -> list[str]:
    """Return the functions that the package's queries call, and those that these call."""
    kinds = _kinds(package)
    texts = {ir.Many: FETCH_ALL, ir.One: FETCH_ONE, ir.NoResult: EXECUTE, ir.RowCount: EXECUTE_COUNT}
    of_batches: list[str] = []
    if ir.Batch in kinds:
        of_batches = [*[EXECUTE_BATCH] * _executes_batches(package), *[FETCH_BATCH] * _reads_batches(package), EXECUTE_MANY, SEND_BATCH]
    return [
        *(text for kind, text in texts.items() if kind in kinds),
        *[EXECUTE_PREPARED] * bool(kinds - {ir.Batch}),
        *of_batches,
        ROLL_BACK,
    ]


def _coloured(builder: ModuleBuilder, text: str, colour: Colour) -> str:
    names = {"connection": builder.name("psycopg", colour.connection), "cursor": builder.name("psycopg", colour.cursor)}
    if "tuple_row" in text:
        builder.name("psycopg.rows", "tuple_row")
    if "$execute_now" in text:
        names["execute_now"] = builder.name(f".{EXECUTION_MODULE}", colour.execute_now)
    steps = ASYNC_STEPS if colour is ASYNC else SYNC_STEPS
    if text in {EXECUTE_MANY, SEND_BATCH}:
        steps = steps | (ASYNC_BATCH if colour is ASYNC else SYNC_BATCH)
    return Template(text).substitute(names, **steps, outdated=OUTDATED, define=colour.define, wait=colour.wait, a=colour.prefix)
