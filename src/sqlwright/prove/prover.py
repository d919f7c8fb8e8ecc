"""Proving queries: what PostgreSQL is asked of each, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg

from sqlwright import ir
from sqlwright.copying import copy_sql
from sqlwright.diagnostics import CompileError, Diagnostic, in_order
from sqlwright.pgtypes import canonical_name
from sqlwright.placeholders import with_casts
from sqlwright.prove import standins
from sqlwright.prove.access import functions_called
from sqlwright.prove.catalog import read_catalog
from sqlwright.prove.describe import Description, Refused, TypeNames, describe, with_dimensions
from sqlwright.prove.facts import SchemaFacts
from sqlwright.prove.lock import query_key
from sqlwright.prove.nodetree import UNREADABLE
from sqlwright.prove.planning import plan
from sqlwright.prove.proof import Catalog, Progress, Proofs, ProvenColumn, ProvenParam, QueryProof, RecordField, find_table
from sqlwright.prove.querytree import analysed_query
from sqlwright.prove.records import Fields
from sqlwright.prove.schema import Schema
from sqlwright.prove.scratch import scratch_database
from sqlwright.prove.server import Server
from sqlwright.prove.statement import ColumnProof, Statement, StatementProof, prove_statement

_Located: TypeAlias = Mapping[tuple[int, int], tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class _Session:
    """Everything about the scratch database that proofs of single queries share."""

    connection: psycopg.Connection[Any]
    facts: SchemaFacts
    types: TypeNames
    catalog: Catalog
    located: _Located
    stand_ins: Mapping[int, str]


def prove_queries(
    queries: Sequence[tuple[str, ir.UnprovenQuery]],
    proofs: Mapping[tuple[str, str], QueryProof],
    schema: Schema,
    server: Server,
    progress: Progress,
    *,
    nullable_elements: bool,
) -> Proofs:
    """Prove the queries, given with their files, that `proofs` lacks; give all proofs.

    Raises:
        CompileError: PostgreSQL refuses the schema or queries (all of them are reported).
    """
    with scratch_database(server, schema) as connection:
        return _prove_others(queries, proofs, schema, server.major, connection, progress, nullable_elements=nullable_elements)


def _prove_others(
    queries: Sequence[tuple[str, ir.UnprovenQuery]],
    proofs: Mapping[tuple[str, str], QueryProof],
    schema: Schema,
    major: int,
    connection: psycopg.Connection[Any],
    progress: Progress,
    *,
    nullable_elements: bool,
) -> Proofs:
    types = TypeNames(connection)
    facts = SchemaFacts.load(connection, stored_elements_nullable=nullable_elements)
    catalog, located = read_catalog(connection, types, facts)
    session = _Session(connection, facts, types, catalog, located, standins.read_functions(connection))
    diagnostics: list[Diagnostic] = []
    proven = dict(proofs)
    progress(len(proven), len(queries))
    with connection.transaction(force_rollback=True):
        for file, query in queries:
            if (file, query.name) in proven:
                continue
            try:
                proven[file, query.name] = _prove_query(
                    session, query, query_key(query, schema.digest, major, nullable_elements=nullable_elements)
                )
            except Refused as refused:
                diagnostics.append(_refusal(query, refused))
            progress(len(proven), len(queries))
    if diagnostics:
        raise CompileError(in_order(diagnostics))
    return Proofs(major, schema.digest, catalog, proven)


def _prove_query(session: _Session, query: ir.UnprovenQuery, key: str) -> QueryProof:
    sql, types = _meant(session.connection, query), {p.number: p.sqlc_type for p in query.params}
    guessed = describe(session.connection, sql, types)
    casts = {number: session.types.cast_name(oid) for number, oid in enumerate(guessed.params, start=1)}
    final = with_casts(sql, casts)
    # The casts must change nothing: what is generated is the final text, so the final text is what is proven.
    described = describe(session.connection, final, {})
    if described.params != guessed.params:
        raise Refused("a cast to the inferred type changes the type of a parameter", -1, "write the casts of the parameters out.", "")
    plan(session.connection, final, len(described.params))
    if query.copied is not None:
        _try_copy(session.connection, query.copied)
    proof = prove_statement(
        session.connection,
        session.facts,
        Statement(
            sql=final,
            param_types=tuple(casts.values()),
            optional_params=frozenset(p.number for p in query.params if p.optional),
            returns_rows=bool(described.columns),
            param_dimensions=_param_dimensions(query),
        ),
    )
    return QueryProof(
        key=key,
        sql=final,
        params=_params(query, described, proof, casts, session.types),
        columns=_columns(session, query, described, proof),
        cardinality=proof.rows.cardinality,
        cardinality_reason=proof.rows.reason,
        cardinality_offset=proof.rows.location,
        reads=proof.reads,
        writes=proof.writes,
        stand_ins=_stand_ins(session, final, described.params),
    )


def _meant(connection: psycopg.Connection[Any], query: ir.UnprovenQuery) -> str:
    """Give the text of sqlc, unless the columns that it wrote for a star are not the ones that PostgreSQL finds behind it."""
    if query.starred == query.sql:
        return query.sql
    types = {p.number: p.sqlc_type for p in query.params}
    try:
        meant = describe(connection, query.starred, types).columns
    except Refused:
        return query.sql
    try:
        written = describe(connection, query.sql, types).columns
    except Refused:
        return query.starred
    return query.sql if [(c.name, c.type) for c in written] == [(c.name, c.type) for c in meant] else query.starred


def _stand_ins(session: _Session, sql: str, param_types: tuple[int, ...]) -> tuple[str, ...]:
    if not session.stand_ins:
        return ()
    try:
        called = functions_called(analysed_query(session.connection, sql, param_types))
    except UNREADABLE:
        return ()
    return tuple(sorted({session.stand_ins[oid] for oid in called if oid in session.stand_ins}))


def _try_copy(connection: psycopg.Connection[Any], copied: ir.CopiedColumns) -> None:
    """Copy no rows: PostgreSQL says whether it would take some."""
    try:
        with connection.transaction(), connection.cursor().copy(copy_sql(copied, binary=False).encode()):
            pass
    except psycopg.Error as error:
        raise Refused(
            error.diag.message_primary or str(error), -1, error.diag.message_hint or "use :batchexec.", error.diag.sqlstate or ""
        ) from error


def _param_dimensions(query: ir.UnprovenQuery) -> dict[int, int]:
    """How many dimensions array parameters have: as many as are written behind them or declared of their column, which sqlc reads."""
    return {param.number: count for param in query.params if (count := param.sqlc_type.count("[]")) > 1}


def _params(
    query: ir.UnprovenQuery, described: Description, proof: StatementProof, casts: Mapping[int, str], types: TypeNames
) -> tuple[ProvenParam, ...]:
    dimensions = _param_dimensions(query)
    return tuple(
        ProvenParam(
            casts[number],
            with_dimensions(types.proof_name(oid), dimensions.get(number, 1)),
            found.nullable,
            found.element_nullable,
            found.reason,
        )
        for number, (oid, found) in enumerate(zip(described.params, proof.params, strict=True), start=1)
    )


def _columns(session: _Session, query: ir.UnprovenQuery, described: Description, proof: StatementProof) -> tuple[ProvenColumn, ...]:
    unproven = ColumnProof(nullable=True, reason=proof.rows.reason, location=-1, element_nullable=True, absent_row=False, witness=False)
    found = proof.columns or (unproven,) * len(described.columns)
    columns: list[ProvenColumn] = []
    for column, verdict, said in zip(described.columns, found, _said(session.catalog, query, len(described.columns)), strict=True):
        type_name = with_dimensions(session.types.proof_name(column.type), verdict.dimensions)
        place = session.located.get((column.table, column.attribute))
        columns.append(
            ProvenColumn(
                name=column.name,
                type=type_name,
                nullable=verdict.nullable,
                element_nullable=verdict.element_nullable,
                absent_row=verdict.absent_row,
                witness=verdict.witness,
                always_null=verdict.always_null,
                reason=verdict.reason,
                offset=verdict.location,
                origin=ir.Origin(*place) if place else None,
                fields=_fields(verdict.fields, session.types),
                overruled="" if said is None else _overruled(said, type_name, nullable=verdict.nullable),
            )
        )
    return tuple(columns)


def _fields(fields: Fields, types: TypeNames) -> tuple[RecordField, ...] | None:
    if fields is None:
        return None
    return tuple(
        RecordField(with_dimensions(types.declared_name(f.type), f.dimensions), f.nullable, f.element_nullable, _fields(f.fields, types))
        for f in fields
    )


def _said(catalog: Catalog, query: ir.UnprovenQuery, count: int) -> list[ir.UnprovenColumn | None]:
    """What sqlc says of each column that PostgreSQL returns: nothing of embedded ones, nothing at all where it counts otherwise."""
    said: list[ir.UnprovenColumn | None] = []
    for column in query.columns:
        if isinstance(column, ir.UnprovenEmbed):
            said += [None] * len(find_table(catalog, column.schema, column.table).columns)
        else:
            said.append(column)
    return said if len(said) == count else [None] * count


def _overruled(said: ir.UnprovenColumn, type_name: str, *, nullable: bool) -> str:
    """What sqlc said of the column, where PostgreSQL says otherwise; "" where both agree."""
    if canonical_name(said.sqlc_type) == type_name and said.sqlc_not_null is not nullable:
        return ""
    return f"{said.sqlc_type or 'any'}{' not null' if said.sqlc_not_null else ''}"


def _refusal(query: ir.UnprovenQuery, refused: Refused) -> Diagnostic:
    place = query.source.place_of(query.sql, refused.offset) if refused.offset >= 0 else query.source.header_place()
    return Diagnostic(
        f"PostgreSQL refuses query {query.name}: {refused.message}",
        place,
        help=refused.hint or _cure(refused.sqlstate),
    )


def _cure(sqlstate: str) -> str:
    match sqlstate:
        case "42P18" | "42P08":
            return "write a cast behind the parameter, such as sqlc.arg(name)::text."
        case "42P10":
            return "ON CONFLICT needs a unique index or constraint on exactly these columns."
        case "42883":
            return "check the name and the argument types; an explicit cast may be missing."
        case _:
            return "mend the query; it was prepared against the schema files that sqlc.yaml names."
