"""Values for the stages between sqlc and the renderer, so that each is tested with values in and values out."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlwright import ir
from sqlwright.diagnostics import CompileError
from sqlwright.ir.proofs import Catalog, Enum, Proofs, ProvenColumn, ProvenEmbed, ProvenParam, QueryProof, Table, TableColumn
from sqlwright.options import Options, read_options
from sqlwright.resolve.package import resolve
from sqlwright.resolve.protocol import WireColumn, WireIdentifier, WireParam, WireQuery
from sqlwright.sql.sources import QuerySource, split_queries

FILE = "queries/users.sql"


def sources(text: str, file: str = FILE) -> dict[str, QuerySource]:
    """Return the queries of a file by their names."""
    return {source.name: source for source in split_queries(file, text)}


def wire(source: QuerySource, *, params: tuple[WireParam, ...] = (), columns: tuple[WireColumn, ...] = ()) -> WireQuery:
    """What sqlc says of a query."""
    command = source.name_line.split()[-1]
    return WireQuery(text=source.text, name=source.name, cmd=command, filename=source.file, columns=columns, params=params)


def wire_param(number: int, name: str = "", type_: str = "int4", *, named: bool = False, dimensions: int = 0) -> WireParam:
    """What sqlc says of a parameter: the name of the column that it meets, or its own where it is `named`."""
    found = WireIdentifier(schema_="pg_catalog", name=type_)
    return WireParam(number=number, column=WireColumn(name=name, type=found, is_named_param=named, array_dims=dimensions))


def unproven(text: str, file: str = FILE) -> ir.UnprovenPackage:
    """Resolve a file whose queries have no parameters."""
    found = sources(text, file)
    return resolved(tuple(wire(source) for source in found.values()), found)


def resolved(queries: tuple[WireQuery, ...], found: Mapping[str, QuerySource]) -> ir.UnprovenPackage:
    """Resolve queries.

    Raises:
        CompileError: they have errors.
    """
    package, mistakes = resolve(queries, found)
    if mistakes:
        raise CompileError(mistakes)
    return package


def column(name: str, type_: str = "text", *, nullable: bool = False, table: str = "", always_null: bool = False) -> ProvenColumn:
    """A proven column, of a table where one is named."""
    return ProvenColumn(
        name=name,
        type=type_,
        nullable=nullable,
        element_nullable=False,
        always_null=always_null,
        reason=f"the reason of {name}",
        offset=-1,
        origin=ir.Origin("public", table, name) if table else None,
        overruled="",
        fields=None,
    )


def param(type_: str = "int4", *, nullable: bool = False) -> ProvenParam:
    """A proven parameter."""
    return ProvenParam(cast=type_, type=type_, nullable=nullable, element_nullable=False, reason="")


def proof(
    *columns: ProvenColumn,
    rows: ir.Cardinality = ir.Cardinality.MANY,
    params: tuple[ProvenParam, ...] = (),
    embeds: tuple[ProvenEmbed, ...] = (),
    sql: str = "SELECT 1",
    stand_ins: tuple[str, ...] = (),
) -> QueryProof:
    """The proof of a query."""
    return QueryProof(
        key="",
        sql=sql,
        params=params,
        columns=columns,
        cardinality=rows,
        cardinality_reason="the reason of the rows",
        cardinality_offset=-1,
        reads=(),
        writes=(),
        operation=ir.Operation(),
        stand_ins=stand_ins,
        embeds=embeds,
    )


def table(name: str, /, **columns: str) -> Table:
    """A table: types by the names of its columns; a `?` after a type makes the column nullable."""
    found = tuple(
        TableColumn(
            name=each,
            type=type_.removesuffix("?"),
            declared=type_.removesuffix("?"),
            not_null=not type_.endswith("?"),
            element_nullable=False,
            reason="",
            comment="",
        )
        for each, type_ in columns.items()
    )
    return Table(schema="public", name=name, type=name, comment="", columns=found, constraints=())


def proofs(tables: tuple[Table, ...] = (), enums: tuple[Enum, ...] = (), /, file: str = FILE, **queries: QueryProof) -> Proofs:
    """Proofs of a file's queries by name, over a schema."""
    return Proofs(18, "", Catalog(tables, enums, ()), {(file, name): found for name, found in queries.items()})


def options(**values: object) -> Options:
    """Options as sqlc.yaml has them."""
    return read_options(json.dumps(values).encode(), out="app_db")
