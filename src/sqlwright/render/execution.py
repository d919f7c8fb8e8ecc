"""The module of a package that executes a statement so that its result is there afterwards, also inside a pipeline."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.options import Clients
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, SYNC, Colour
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, statement

# No query file can have this name: those begin with a letter.
EXECUTION_MODULE = "_execution"


def waits_for_results(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    results = [query.result for module in package.modules for query in module.queries]
    return any(isinstance(result, ir.RowCount | ir.CursorResult) for result in results)


def execution_module(clients: Clients) -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Execution that waits for its result, also inside a pipeline.", taken=())
    if clients is not Clients.ASYNC:
        builder.add_definition(_lines(builder, SYNC))
    if clients is not Clients.SYNC:
        builder.add_definition(_lines(builder, ASYNC))
    return builder.text()


def _lines(builder: ModuleBuilder, colour: Colour) -> list[str]:
    anything = builder.name("typing", "Any")
    cursor = builder.name("psycopg", colour.cursor)
    parameters = (
        f"cur: {cursor}[{anything}]",
        f"query: {builder.name('typing', 'LiteralString')}",
        f"values: {builder.name('collections.abc', 'Sequence')}[{anything}] = ()",
    )
    return [
        *statement(Group(f"{colour.define}{colour.execute_now}(", parameters), 0, suffix=" -> None:"),
        '    """Execute a query and wait for its result.',
        "",
        "    In a pipeline, `execute` only queues a query; `executemany` waits for the result.",
        '    """',
        "    if cur.connection.pgconn.pipeline_status:",
        f"        {colour.wait}cur.executemany(query, [values], returning=True)",
        "    else:",
        f"        {colour.wait}cur.execute(query, values or None)",
    ]
