"""From the queries in the files and sqlc's view of them to the unproven package: commands, names, places. Wire types end here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName
from sqlwright.resolve.copying import Unfit, copied_columns
from sqlwright.resolve.derivation import derived_queries
from sqlwright.resolve.protocol import WireColumn, WireParam, WireQuery
from sqlwright.resolve.slices import with_arrays
from sqlwright.resolve.variation import unknown_parameters, variant_words, variation
from sqlwright.sql.annotations import AnnotatedDoc, Annotations, annotation_place, read_annotations
from sqlwright.sql.boundaries import check_boundaries
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.macros import NamedParameter, Reading, read_statement
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.sources import QuerySource
from sqlwright.sql.strays import check_strays

_LIKE_PLACEHOLDER = re.compile(r"\$([0-9]+)")
_SUPPORTED = ", ".join(ir.Command)


def resolve(
    queries: tuple[WireQuery, ...],
    sources: Mapping[str, QuerySource],
    *,
    schema_files: AbstractSet[str] = frozenset(),
    nullable_elements: bool = False,
) -> tuple[ir.UnprovenPackage, list[Diagnostic]]:
    """Return the unproven package, its modules sorted by name and the queries in their files' order, and all errors found.

    A query with an error is left out; its file still is a module. The errors are statements that would be lost, unsupported commands or
    macros, and annotations that are unknown or misused. `sources` is by query name; `schema_files` are the files of the schema;
    `nullable_elements` is the option of that name.
    """
    diagnostics = check_boundaries(sources.values(), {query.name for query in queries}, schema_files)
    diagnostics += check_strays(sources.values())
    misread = [place for found in diagnostics for place in (found.place, found.second) if place]
    ours = [(wire, source) for wire in queries if not (source := sources[wire.name]).sqlc_only]
    taken = {source.name: source for _, source in ours}
    files: dict[str, dict[str, None]] = {}
    modules: dict[str, list[ir.UnprovenQuery]] = {}
    for wire, source in ours:
        base_name = _base_name(source.file)
        files.setdefault(base_name, {})[source.file] = None
        members = modules.setdefault(base_name, [])
        comment = read_annotations(source)
        reading = _read(wire, source)
        problems = [*unsupported_command(wire.cmd, source), *misused_annotations(wire.cmd, source, comment.annotations)]
        params = _params(wire.params, reading)
        problems += unknown_parameters(source, comment.annotations, params)
        problems += comment.diagnostics
        copied = copied_columns(reading.sql) if wire.cmd == ir.Command.COPYFROM else None
        if isinstance(copied, Unfit):
            problems.append(unfit_copy(source, reading, copied))
        elif not problems and not any(source.holds(place) for place in misread):
            query = _query(wire, source, comment, reading, params, copied)
            derived, clashes = derived_queries(query, taken)
            members += [query, *derived]
            taken |= {each.name: source for each in derived}
            problems += clashes
        diagnostics += problems
    found = (_module(list(files[base_name]), members) for base_name, members in modules.items())
    return ir.UnprovenPackage(tuple(sorted(found, key=lambda module: (module.name, module.source_file))), nullable_elements), diagnostics


def _module(files: list[str], members: list[ir.UnprovenQuery]) -> ir.UnprovenModule:
    """Build the module of the queries of one file, or of files of the same name in several folders."""
    return ir.UnprovenModule(ModuleName.from_file(files[0]), " and ".join(files), tuple(members))


def _base_name(file: str) -> str:
    return file.rpartition("/")[2]


def _read(wire: WireQuery, source: QuerySource) -> Reading:
    return read_statement(source.text, {p.column.name.lower(): p.number for p in wire.params if p.column.is_named_param})


def unsupported_command(command: str, source: QuerySource) -> list[Diagnostic]:
    """Report a command that is not one of ours."""
    place = source.header_place()
    found: list[Diagnostic] = []
    if command == ":execlastid":
        found.append(
            Diagnostic(
                Code.UNSUPPORTED_COMMAND,
                f"command :execlastid of query {source.name} does not exist in PostgreSQL",
                place,
                help="add `RETURNING id` to the statement and use :one.",
            )
        )
    elif command not in set(ir.Command):
        found.append(
            Diagnostic(
                Code.UNSUPPORTED_COMMAND,
                f"command {command} of query {source.name} is not supported",
                place,
                help=f"supported commands: {_SUPPORTED}.",
            )
        )
    return found


def misused_annotations(command: str, source: QuerySource, annotations: Annotations) -> list[Diagnostic]:
    """Report annotations that the query's command does not accept."""
    found: list[Diagnostic] = []
    if command != ir.Command.MANY:
        words = [*(["stream"] if annotations.stream is not None else []), *annotations.asked]
        words += ["page"] if annotations.page else []
        found += [misplaced_annotation(command, source, word, "remove it, or use :many.") for word in words]
    elif annotations.page and annotations.stream is not None:
        found.append(_contradicting(source, annotations.page))
    if command == ir.Command.COPYFROM or command.startswith(":batch"):
        # All rows are sent with one statement.
        words = [word for word in variant_words(annotations) if word != "page"]
        found += [misplaced_annotation(command, source, word, "remove it, or use a command for one call.") for word in words]
    return found


def _contradicting(source: QuerySource, line: str) -> Diagnostic:
    return Diagnostic(
        Code.CONTRADICTING_CLAIMS,
        f"query {source.name} has both @page and @stream",
        source.doc_place(line),
        help="keep @page for lists that are shown a page at a time, and @stream for reading all rows.",
    )


def misplaced_annotation(command: str, source: QuerySource, word: str, cure: str) -> Diagnostic:
    """Report an annotation that a query's command does not accept."""
    return Diagnostic(
        Code.MISPLACED_ANNOTATION, f"@{word} on query {source.name}, which is {command}", annotation_place(source, word), help=cure
    )


def unfit_copy(source: QuerySource, reading: Reading, unfit: Unfit) -> Diagnostic:
    """Report a statement that cannot be a COPY."""
    place = source.place_of(reading.sql, unfit.offset)
    return Diagnostic(Code.NOT_A_COPY, f"query {source.name} is :copyfrom and {unfit.message}", place, help=unfit.help)


def _query(
    wire: WireQuery,
    source: QuerySource,
    comment: AnnotatedDoc,
    reading: Reading,
    params: tuple[ir.UnprovenParam, ...],
    copied: ir.CopiedColumns | None,
) -> ir.UnprovenQuery:
    return ir.UnprovenQuery(
        name=wire.name,
        function=Identifier.from_sql(wire.name),
        constant=ConstantName.from_sql(wire.name),
        row_class=ClassName(f"{ClassName.from_sql(wire.name)}Row"),
        params_class=ClassName(f"{ClassName.from_sql(wire.name)}Params"),
        command=ir.Command(wire.cmd),
        sql=with_arrays(reading.sql, {param.number for param in reading.names.values() if param.sliced}),
        doc=comment.doc,
        annotations=comment.annotations,
        params=params,
        columns=tuple(ir.UnprovenColumn(c.name, _sqlc_type(c), c.not_null) for c in wire.columns if not c.embed_table),
        embeds=tuple(ir.UnprovenEmbed(Identifier.from_sql(embed.alias), embed.star) for embed in reading.embeds),
        copied=copied,
        source=source,
        variation=variation(comment.annotations, params),
    )


def _params(wires: tuple[WireParam, ...], reading: Reading) -> tuple[ir.UnprovenParam, ...]:
    """Name the parameters. A `$n` is named after the column it is used with, with `_2` where that is taken, as in sqlc's own generators."""
    named = {param.number: param for param in reading.names.values()}
    seen: Counter[str] = Counter(Identifier.from_sql(param.name) for param in named.values())
    params: list[ir.UnprovenParam] = []
    for wire in sorted(wires, key=lambda w: w.number):
        column = wire.column
        if column.is_named_param:
            if wire.number in named:
                params.append(_named(named.pop(wire.number), _sqlc_type(column), _origin(column)))
            continue
        name = Identifier.from_sql(column.name or f"dollar_{wire.number}")
        seen[name] += 1
        if seen[name] > 1:
            name = Identifier(f"{name}_{seen[name]}")
        params.append(ir.UnprovenParam(wire.number, name, _sqlc_type(column), optional=False, origin=_origin(column)))
    # sqlc does not look into MERGE, nor at placeholders where it knows no column.
    params += [_named(param, "", None) for param in named.values()]
    unknown = _unknown(reading.sql, {param.number for param in params})
    params += [ir.UnprovenParam(number, Identifier.from_sql(name), "", optional=False) for number, name in unknown.items()]
    return tuple(sorted(params, key=lambda param: param.number))


def _named(param: NamedParameter, sqlc_type: str, origin: ir.Origin | None) -> ir.UnprovenParam:
    return ir.UnprovenParam(param.number, Identifier.from_sql(param.name), sqlc_type, param.optional, origin, param.sliced)


def _unknown(sql: str, known: AbstractSet[int]) -> dict[int, str]:
    """The placeholders that sqlc does not mention, each with a name."""
    # What looks like a placeholder may be in a string or a comment; the lexer is only needed where sqlc does not know all of them.
    if known >= set(map(int, _LIKE_PLACEHOLDER.findall(sql))):
        return {}
    numbers = {placeholder_number(token) for token in significant(sql) if token.kind is Kind.PLACEHOLDER}
    return {number: f"dollar_{number}" for number in sorted(numbers - known)}


def _origin(column: WireColumn) -> ir.Origin | None:
    if column.table is None or not column.table.name or not column.original_name:
        return None
    return ir.Origin(column.table.schema_ or "public", column.table.name, column.original_name)


def _sqlc_type(column: WireColumn) -> str:
    """Return the type as SQL writes it; "" if sqlc knows none."""
    if column.type is None or column.type.name in {"", "any"}:
        return ""
    name = column.type.name.removeprefix("pg_catalog.")
    schema = column.type.schema_
    dimensions = 1 if column.is_sqlc_slice else column.array_dims
    return (name if schema in {"", "pg_catalog"} else f"{schema}.{name}") + "[]" * dimensions
