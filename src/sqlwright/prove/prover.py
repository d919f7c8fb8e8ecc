"""Proving queries: what PostgreSQL is asked of each, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg

from sqlwright import ir
from sqlwright.copying import copy_sql
from sqlwright.diagnostics import CompileError, Diagnostic, in_order
from sqlwright.pgtypes import canonical_name
from sqlwright.placeholders import with_casts
from sqlwright.prove.catalog import read_catalog
from sqlwright.prove.describe import Description, Refused, TypeNames, describe, with_dimensions
from sqlwright.prove.facts import SchemaFacts
from sqlwright.prove.lock import query_key
from sqlwright.prove.proof import Catalog, Progress, Proofs, ProvenColumn, ProvenParam, QueryProof, RecordField, find_table
from sqlwright.prove.records import Fields
from sqlwright.prove.schema import Schema
from sqlwright.prove.scratch import scratch_database
from sqlwright.prove.server import Server
from sqlwright.prove.statement import ColumnProof, Statement, StatementProof, prove_statement

_Located: TypeAlias = Mapping[tuple[int, int], tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Session:
    """Everything about a scratch database that the proofs of all queries over its schema share."""

    connection: psycopg.Connection[Any]
    facts: SchemaFacts
    types: TypeNames
    catalog: Catalog
    located: _Located
    schema_digest: str
    major: int
    nullable_elements: bool


@contextmanager
def open_session(server: Server, schema: Schema, *, nullable_elements: bool) -> Generator[Session]:
    """Connect to a scratch database of the schema and read its catalogue.

    Raises:
        CompileError: PostgreSQL refuses one of the schema files.
    """
    with scratch_database(server, schema) as connection:
        types = TypeNames(connection)
        facts = SchemaFacts.load(connection, stored_elements_nullable=nullable_elements)
        catalog, located = read_catalog(connection, types, facts)
        yield Session(connection, facts, types, catalog, located, schema.digest, server.major, nullable_elements)


@contextmanager
def connected() -> Generator[None]:
    """Report a connection that ends inside the block.

    Raises:
        CompileError: the server ended it, or is gone.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise CompileError(
            [
                Diagnostic(
                    "the connection to PostgreSQL was lost while queries were proven",
                    help="the server's log says why it ended; run this again when it is up.",
                )
            ]
        ) from error


@connected()
def prove_queries(
    session: Session,
    queries: Sequence[tuple[str, ir.UnprovenQuery]],
    proofs: Mapping[tuple[str, str], QueryProof],
    progress: Progress,
) -> Proofs:
    """Prove the queries, given with their files, that `proofs` lacks; return all proofs.

    Raises:
        CompileError: PostgreSQL refuses queries (all of them are reported), or the connection was lost.
    """
    diagnostics: list[Diagnostic] = []
    proven = dict(proofs)
    progress(len(proven), len(queries))
    with session.connection.transaction(force_rollback=True):
        for file, query in queries:
            if (file, query.name) in proven:
                continue
            key = query_key(query, session.schema_digest, session.major, nullable_elements=session.nullable_elements)
            try:
                proven[file, query.name] = _prove_query(session, query, key)
            except Refused as refused:
                if session.connection.closed:
                    raise psycopg.OperationalError(refused.message) from refused
                diagnostics.append(_refusal(query, refused))
            progress(len(proven), len(queries))
    if diagnostics:
        raise CompileError(in_order(diagnostics))
    return Proofs(session.major, session.schema_digest, session.catalog, proven)


def _prove_query(session: Session, query: ir.UnprovenQuery, key: str) -> QueryProof:
    sql, types = _meant(session.connection, query), {p.number: p.sqlc_type for p in query.params}
    guessed = describe(session.connection, sql, types)
    casts = {number: session.types.cast_name(oid) for number, oid in enumerate(guessed.params, start=1)}
    final = with_casts(sql, casts)
    # The casts must change nothing: what is generated is the final text, so the final text is what is proven.
    described = describe(session.connection, final, {})
    if described.params != guessed.params:
        raise Refused("a cast to the inferred type changes the type of a parameter", -1, "write the casts of the parameters out.", "")
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


def _columns(session: Session, query: ir.UnprovenQuery, described: Description, proof: StatementProof) -> tuple[ProvenColumn, ...]:
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
        case "42883":
            return "check the name and the argument types; an explicit cast may be missing."
        case _:
            return "mend the query; it was prepared against the schema files that sqlc.yaml names."
