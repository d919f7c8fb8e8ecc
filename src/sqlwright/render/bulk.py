"""The bodies of functions that do more than execute once and fetch: COPY, batches and streams.

What they share at run time, a note on errors that says which row they concern, is in the package's own module `_rows`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, SYNC, Colour
from sqlwright.render.direct.module import DIRECT_MODULE
from sqlwright.render.error_notes import EACH_RESULT, ROWS_MODULE
from sqlwright.render.layout import Group, ListComprehension, Node, NoneUnless, fits, flat, statement
from sqlwright.render.literals import string_literal
from sqlwright.render.promises import checked_row
from sqlwright.types.copying import CUT_SHORT


def copy_lines(builder: ModuleBuilder, colour: Colour, root: str, constant: str, values: Group, copied: ir.Copied) -> list[str]:
    """Return the body of a `:copyfrom` function, after the line that makes `cur`."""
    sent_rows = builder.name(f"{root}{ROWS_MODULE}", colour.sent_rows)
    if copied.types:
        checked = {name: builder.name(f"{root}{ROWS_MODULE}", name) for name in copied.types if name in CUT_SHORT}
        items = zip(values.items, copied.types, strict=True)
        values = replace(values, items=tuple(Group(f"{checked[name]}(", (item,)) if name in checked else item for item, name in items))
    types = Group("copy.set_types(", (Group("[", tuple(map(string_literal, copied.types)), "]"),))
    lines = [f"    sent = {sent_rows}(rows)", *statement(Group("cur.copy(", (constant,)), 1, "copying = ")]
    depth = 2
    if colour is ASYNC:
        lines += ["    with sent.copying():", "        async with copying as copy:"]
        depth = 3
    else:
        lines += ["    with sent.copying(), copying as copy:"]
    return [
        *lines,
        *(statement(types, depth) if copied.types else []),
        f"{'    ' * depth}{colour.each}row in sent:",
        *statement(Group("copy.write_row(", (values,)), depth + 1, colour.wait),
        "    return cur.rowcount",
    ]


@dataclass(frozen=True, slots=True)
class Batched:
    """What the body of a batch function is made of.

    `made` is what is made of `row`, if items have results; `annotation` is that of an item's result; `binary` is whether results come in
    the binary format.
    """

    builder: ModuleBuilder
    colour: Colour
    root: str
    constant: str
    values: Group
    query: ir.Query
    each: ir.NoResult | ir.One | ir.Many
    made: Node | None = None
    annotation: str = ""
    binary: bool = False


def batch_lines(batch: Batched) -> list[str]:
    """Return the body of a batch function, after the line that makes `cur`."""
    builder, colour, root = batch.builder, batch.colour, batch.root
    sent_rows = builder.name(f"{root}{ROWS_MODULE}", SYNC.sent_rows)
    rows = ListComprehension(batch.values, "for row in sent", "(", ")")
    executemany = Group("cur.executemany(", (batch.constant, rows, "returning=True"))
    lines = [f"    sent = {sent_rows}(rows)"]
    if batch.binary:
        lines = [f"    cur.format = {builder.name('psycopg.pq', 'Format')}.BINARY", *lines]
    if colour is ASYNC:
        lines += ["    async with conn.pipeline():", "        with sent.executing(cur):", *statement(executemany, 3, colour.wait)]
    else:
        lines += ["    with conn.pipeline(), sent.executing(cur):", *statement(executemany, 2)]
    if batch.made is None:
        return lines
    loop = f"    for _ in {builder.name(f'{root}{ROWS_MODULE}', EACH_RESULT)}(cur):"
    fetched = f"{colour.wait}cur.fetchone()", "cur.rowcount", f"{colour.wait}cur.fetchall()"
    return [*lines, *_result_lines(batch, batch.made, loop, fetched)]


def direct_batch_lines(batch: Batched) -> list[str]:
    """Return the body of a batch function that sends its statement without a cursor."""
    builder, colour, root = batch.builder, batch.colour, batch.root
    sent_rows = builder.name(f"{root}{ROWS_MODULE}", SYNC.sent_rows)
    function = builder.name(f"{root}{DIRECT_MODULE}", f"{colour.prefix}{'execute' if batch.made is None else 'fetch'}_batch")
    rows = ListComprehension(batch.values, "for row in sent", "(", ")")
    call = Group(f"{function}(", ("conn", batch.constant, "sent", rows, *["binary=True"] * batch.binary))
    lines = [f"    sent = {sent_rows}(rows)"]
    if batch.made is None:
        return [*lines, *statement(call, 1, colour.wait)]
    fetched = "found[0] if found else None", "len(found)", "found"
    return [
        *lines,
        *statement(call, 1, f"fetched = {colour.wait}"),
        *_result_lines(batch, batch.made, "    for found in fetched:", fetched),
    ]


def _result_lines(batch: Batched, made: Node, loop: str, fetched: tuple[str, str, str]) -> list[str]:
    """Return the lines that make a list of the results; `fetched` is how the loop has the first row, the number of rows, and all rows."""
    first, count, all_rows = fetched
    lines = [*statement(f"results: {batch.builder.builtin('list')}[{batch.annotation}] = []", 1), loop]
    match batch.each:
        case ir.Many():
            lines += _deliver(ListComprehension(made, f"for row in {all_rows}"), "", 2, "results.append(", ")")
        case ir.One(always=always) as one:
            lines += [
                f"        row = {first}",
                *checked_row(batch.builder, batch.root, batch.query, one, "row", count, in_batch=True),
                *_deliver(made, "" if always else "row is None", 2, "results.append(", ")"),
            ]
        case ir.NoResult():
            pass
    return [*lines, "    return results"]


def stream_lines(
    builder: ModuleBuilder, colour: Colour, call: Group, names: tuple[str, str, str], made: Node, held: tuple[Node, Group]
) -> list[str]:
    """Return the body of a streaming function, after the line that makes its cursor. `held` are the blocks in which it reads.

    Closing the function's iterator closes psycopg's stream, which cancels the query.
    """
    stream, rows, row = names
    generator, anything = builder.name("collections.abc", colour.generator), builder.name("typing", "Any")
    raw = f'"{generator}[{builder.builtin("tuple")}[{anything}, ...]]"'
    cast, closing = builder.name("typing", "cast"), builder.name("contextlib", colour.closing)
    blocks = (*held, f"{closing}({stream}) as {rows}")
    together = ", ".join(map(flat, blocks))
    line = f"{colour.enter}{together}:"
    return [
        *statement(Group(f"{cast}(", (raw, call)), 1, f"{stream} = "),
        *([f"    {line}"] if fits(line, 1) else statement(Group(f"{colour.enter}(", blocks), 1, suffix=":")),
        f"        {colour.each}{row} in {rows}:",
        *_deliver(made, "", 3, "yield "),
    ]


def _deliver(made: Node, none_if: str, depth: int, opening: str, closing: str = "") -> list[str]:
    """Return the statement that passes on the expression, or None if there is a condition and it holds; the long form is `if`."""

    def passed_on(node: Node, depth: int) -> list[str]:
        return statement(Group(opening, (node,), closing) if closing else node, depth, "" if closing else opening)

    conditions = [none_if] if none_if else []
    if isinstance(made, NoneUnless):
        conditions.append(made.condition)
        made = made.value
    if not conditions:
        return passed_on(made, depth)
    condition = " or ".join(conditions)
    short = f"{opening}{flat(NoneUnless(condition, made))}{closing}"
    margin = "    " * depth
    if fits(short, depth):
        return [f"{margin}{short}"]
    return [f"{margin}if {condition}:", *passed_on("None", depth + 1), f"{margin}else:", *passed_on(made, depth + 1)]
