"""From sqlc's queries to the unproven package: commands, names, places in the files. Wire types end here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from sqlwright import ir
from sqlwright.annotations import AnnotatedDoc, read_annotations
from sqlwright.copying import Unfit, copied_columns
from sqlwright.diagnostics import CompileError, Diagnostic, in_order
from sqlwright.leftovers import numbered
from sqlwright.lexer import Kind, significant
from sqlwright.naming import ClassName, ConstantName, Identifier, ModuleName
from sqlwright.placeholders import placeholder_number
from sqlwright.protocol import WireColumn, WireParam, WireQuery
from sqlwright.slices import with_arrays
from sqlwright.sources import QuerySource
from sqlwright.stars import with_stars

_LIKE_PLACEHOLDER = re.compile(r"\$([0-9]+)")
_SUPPORTED = ", ".join(ir.Command)


def resolve(queries: tuple[WireQuery, ...], sources: Mapping[str, QuerySource]) -> ir.UnprovenPackage:
    """Give the unproven package, its modules sorted by name and the queries in their file's order. `sources` is by query name.

    Raises:
        CompileError: unsupported commands or macros, unknown annotations; all of them.
    """
    diagnostics: list[Diagnostic] = []
    modules: dict[str, list[ir.UnprovenQuery]] = {}
    for wire in queries:
        source = sources[wire.name]
        comment = read_annotations(source)
        problems = [*_unsupported(wire, source), *_misused(wire, source, comment)]
        copied = copied_columns(wire.text.strip()) if wire.cmd == ir.Command.COPYFROM else None
        if isinstance(copied, Unfit):
            problems.append(_unfit(wire, source, copied))
        elif not problems:
            modules.setdefault(source.file, []).append(_query(wire, source, comment, copied))
        diagnostics += [*problems, *comment.diagnostics]
    if diagnostics:
        raise CompileError(in_order(diagnostics))
    return ir.UnprovenPackage(
        tuple(
            sorted(
                (ir.UnprovenModule(ModuleName.from_file(file), file, tuple(members)) for file, members in modules.items()),
                key=lambda module: (module.name, module.source_file),
            )
        )
    )


def _unsupported(wire: WireQuery, source: QuerySource) -> list[Diagnostic]:
    place = source.header_place()
    found: list[Diagnostic] = []
    if wire.cmd == ":execlastid":
        found.append(
            Diagnostic(
                f"command :execlastid of query {wire.name} does not exist in PostgreSQL",
                place,
                help="add `RETURNING id` to the statement and use :one.",
            )
        )
    elif wire.cmd not in set(ir.Command):
        found.append(
            Diagnostic(f"command {wire.cmd} of query {wire.name} is not supported", place, help=f"supported commands: {_SUPPORTED}.")
        )
    return found


def _misused(wire: WireQuery, source: QuerySource, comment: AnnotatedDoc) -> list[Diagnostic]:
    """Annotations that the query's command does not take."""
    if comment.annotations.stream is None or wire.cmd == ir.Command.MANY:
        return []
    return [Diagnostic(f"@stream on query {wire.name}, which is {wire.cmd}", source.header_place(), help="remove it, or use :many.")]


def _unfit(wire: WireQuery, source: QuerySource, unfit: Unfit) -> Diagnostic:
    place = source.place_of(wire.text.strip(), unfit.offset)
    return Diagnostic(f"query {wire.name} is :copyfrom and {unfit.message}", place, help=unfit.help)


def _query(wire: WireQuery, source: QuerySource, comment: AnnotatedDoc, copied: ir.CopiedColumns | None) -> ir.UnprovenQuery:
    sql, left_over = numbered(_text(wire, source))
    slices = {param.number for param in wire.params if param.column.is_sqlc_slice}
    return ir.UnprovenQuery(
        name=wire.name,
        function=Identifier.from_sql(wire.name),
        constant=ConstantName.from_sql(wire.name),
        row_class=ClassName(f"{ClassName.from_sql(wire.name)}Row"),
        params_class=ClassName(f"{ClassName.from_sql(wire.name)}Params"),
        command=ir.Command(wire.cmd),
        sql=with_arrays(sql, slices),
        starred=with_arrays(numbered(_starred(wire, source))[0], slices),
        doc=comment.doc,
        annotations=comment.annotations,
        params=_params(wire.params, source.optional_names(), _unknown(sql, wire.params) | left_over),
        columns=_columns(wire.columns, source.embedded_aliases()),
        copied=copied,
        source=source,
    )


def _text(wire: WireQuery, source: QuerySource) -> str:
    """The text that sqlc gives, with its wrong stars put back.

    Where a row is embedded, the columns that sqlc counts tell what those of PostgreSQL are of, so they must stay.
    """
    if any(column.embed_table for column in wire.columns):
        return wire.text.strip()
    records = {column.name for column in wire.columns if column.type and column.type.name in {"record", "pg_catalog.record"}}
    return with_stars(wire.text.strip(), source.text.strip().removesuffix(";"), records)


def _starred(wire: WireQuery, source: QuerySource) -> str:
    if any(column.embed_table for column in wire.columns):
        return wire.text.strip()
    return with_stars(wire.text.strip(), source.text.strip().removesuffix(";"), None)


def _columns(wires: tuple[WireColumn, ...], aliases: tuple[str, ...]) -> tuple[ir.UnprovenColumn | ir.UnprovenEmbed, ...]:
    """Give the columns; the n-th embed has the n-th alias of the source, since sqlc keeps only the name of the table."""
    remaining = iter(aliases)
    return tuple(
        ir.UnprovenEmbed(Identifier.from_sql(next(remaining, table.name)), table.schema_, table.name)
        if (table := c.embed_table)
        else ir.UnprovenColumn(c.name, _sqlc_type(c), c.not_null)
        for c in wires
    )


def _params(wires: tuple[WireParam, ...], optional: frozenset[str], others: Mapping[int, str]) -> tuple[ir.UnprovenParam, ...]:
    """Name the parameters. Two `$n` that meet the same column share its name: the second gets `_2`, as in sqlc's own generators.

    `others` are names by number of those that sqlc has not seen.
    """
    seen: Counter[str] = Counter()
    params: list[ir.UnprovenParam] = []
    for wire in sorted(wires, key=lambda w: w.number):
        column = wire.column
        name = Identifier.from_sql(column.name or f"dollar_{wire.number}")
        if not column.is_named_param:
            seen[name] += 1
            if seen[name] > 1:
                name = Identifier(f"{name}_{seen[name]}")
        optionally = column.is_named_param and column.name in optional
        params.append(ir.UnprovenParam(wire.number, name, _sqlc_type(column), optionally, _origin(column)))
    params += [ir.UnprovenParam(number, Identifier.from_sql(name), "", name in optional) for number, name in others.items()]
    return tuple(sorted(params, key=lambda param: param.number))


def _unknown(sql: str, wires: tuple[WireParam, ...]) -> dict[int, str]:
    """The placeholders that sqlc does not speak of, each with a name."""
    known = {wire.number for wire in wires}
    # What looks like a placeholder is one or stands in a string or a comment; as long as sqlc knows all of them, nobody has to tell.
    if known.issuperset(map(int, _LIKE_PLACEHOLDER.findall(sql))):
        return {}
    numbers = {placeholder_number(token) for token in significant(sql) if token.kind is Kind.PLACEHOLDER}
    return {number: f"dollar_{number}" for number in sorted(numbers - known)}


def _origin(column: WireColumn) -> ir.Origin | None:
    if column.table is None or not column.table.name or not column.original_name:
        return None
    return ir.Origin(column.table.schema_ or "public", column.table.name, column.original_name)


def _sqlc_type(column: WireColumn) -> str:
    """The type as SQL writes it; "" where sqlc knows none."""
    if column.type is None or column.type.name in {"", "any"}:
        return ""
    name = column.type.name.removeprefix("pg_catalog.")
    schema = column.type.schema_
    dimensions = 1 if column.is_sqlc_slice else column.array_dims
    return (name if schema in {"", "pg_catalog"} else f"{schema}.{name}") + "[]" * dimensions
