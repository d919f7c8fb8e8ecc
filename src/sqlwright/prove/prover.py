"""The proof of a query: the questions to PostgreSQL, and the record of its answers."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import psycopg

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic, in_order
from sqlwright.ir.proofs import Catalog, Progress, Proofs, ProvenColumn, ProvenEmbed, ProvenParam, ProvenVariants, QueryProof, RecordField
from sqlwright.postgres import standins
from sqlwright.postgres.server import Server
from sqlwright.prove.asking.describe import Description, Refused, TypeNames, describe, with_dimensions
from sqlwright.prove.asking.planning import plan
from sqlwright.prove.asking.suggestions import refusal
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.derived import read_original, verify_derived
from sqlwright.prove.lock import query_key
from sqlwright.prove.pages import prove_pages
from sqlwright.prove.scratch.database import scratch_database
from sqlwright.prove.scratch.schema import Schema
from sqlwright.prove.shape.access import functions_called
from sqlwright.prove.shape.embeds import EmbedProof
from sqlwright.prove.shape.records import Fields
from sqlwright.prove.shape.stars import Expanded, expand_stars, stars_in
from sqlwright.prove.statement import Statement, StatementProof, prove_statement, unproven_column
from sqlwright.prove.tables import read_catalog
from sqlwright.prove.tree.nodetree import UNREADABLE
from sqlwright.prove.tree.querytree import analysed_query
from sqlwright.prove.unchanged import prove_unchanged
from sqlwright.prove.variants import cut_variants, prove_orders, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.lexer import significant
from sqlwright.sql.placeholders import with_casts
from sqlwright.types.copying import copy_sql
from sqlwright.types.pgtypes import canonical_name

# psycopg logs errors that it ignores while it cleans up after another one, which is the one to report.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_Located: TypeAlias = Mapping[tuple[int, int], tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to a scratch database, and the facts that the proofs of all queries over its schema share."""

    connection: psycopg.Connection[Any]
    facts: SchemaFacts
    types: TypeNames
    catalog: Catalog
    located: _Located
    stand_ins: Mapping[int, str]
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
        yield Session(
            connection, facts, types, catalog, located, standins.read_functions(connection), schema.digest, server.major, nullable_elements
        )


@contextmanager
def connected() -> Generator[None]:
    """Turn the loss of the connection inside the block into a diagnostic.

    Raises:
        CompileError: the server ended it, or is gone.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise CompileError(
            [
                Diagnostic(
                    Code.UNUSABLE_POSTGRESQL,
                    "the connection to PostgreSQL was lost while queries were proven",
                    help=f"PostgreSQL's last words: {' '.join(str(error).split())}\nits log says more; run this again when it is up.",
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
    """Prove the queries, paired with their files, that `proofs` lacks; return all proofs.

    Raises:
        CompileError: PostgreSQL refuses queries (all of them are reported), or the connection was lost.
    """
    diagnostics: list[Diagnostic] = []
    proven = dict(proofs)
    progress(len(proven), len(queries))
    with session.connection.transaction(force_rollback=True):
        for file, query in queries:
            if (file, query.name) in proven or (query.derivation and (file, query.derivation.name) not in proven):
                continue
            key = query_key(query, session.schema_digest, session.major, nullable_elements=session.nullable_elements)
            try:
                proven[file, query.name] = _prove_query(session, query, key)
            except CompileError as error:
                diagnostics += error.diagnostics
            except Refused as refused:
                if session.connection.closed:
                    raise psycopg.OperationalError(refused.message) from refused
                diagnostics.append(refusal(session.connection, query.name, query.source, query.sql, refused))
            progress(len(proven), len(queries))
    if diagnostics:
        raise CompileError(in_order(diagnostics))
    return Proofs(session.major, session.schema_digest, session.catalog, proven)


def _prove_query(session: Session, query: ir.UnprovenQuery, key: str) -> QueryProof:
    original = read_original(session.connection, query, query.derivation) if query.derivation else None
    types = {p.number: p.sqlc_type for p in query.params}
    guessed = describe(session.connection, query.sql, types)
    _refuse_missing(query, guessed)
    _refuse_scalar_slices(session.types, query, guessed)
    casts = {number: session.types.cast_name(oid) for number, oid in enumerate(guessed.params, start=1)}
    expanded = _expand(session, with_casts(query.sql, casts), tuple(casts.values()))
    # Neither the casts nor the columns in the place of stars must change anything: the final text is generated, so it is what is proven.
    described = _described(session, expanded.sql)
    if described is None or described.columns != guessed.columns:
        expanded = Expanded(with_casts(query.sql, casts), expanded.outputs)
        described = describe(session.connection, expanded.sql, {})
    if described.params != guessed.params:
        raise Refused("a cast to the inferred type changes the type of a parameter", hint="write the casts of the parameters out.")
    plan(session.connection, expanded.sql, len(described.params))
    if query.copied is not None:
        _try_copy(session.connection, query.copied, query.sql)
    spans = [(embed, _span(query, embed, expanded)) for embed in query.embeds]
    statement = Statement(
        sql=expanded.sql,
        param_types=tuple(casts.values()),
        optional_params=frozenset(p.number for p in query.params if p.optional),
        returns_rows=bool(described.columns),
        param_dimensions=_param_dimensions(query, described, session.types),
        embeds=tuple(span for _, span in spans),
    )
    if query.derivation is not None and original is not None:
        verify_derived(session.connection, session.facts, query, statement, query.derivation, original)
    proof = prove_statement(session.connection, session.facts, statement)
    variants = None
    if query.variation is not None:
        cut = cut_variants(session.connection, session.facts, query, statement, described)
        proof = prove_variants(session.connection, session.facts, statement, cut, proof)
        varied = VariedQuery(session.connection, session.facts, query, statement, described, query.variation)
        orders = prove_orders(session.connection, session.facts, statement, cut, proof)
        page = prove_pages(varied, session.types, cut, orders, proof) if query.variation.page else None
        variants = ProvenVariants(cut, orders, page=page)
        if query.variation.or_select:
            proof, unchanged = prove_unchanged(varied, proof)
            variants = replace(variants, unchanged=unchanged)
    embeds = zip(spans, proof.embeds or (None,) * len(spans), strict=True)
    return QueryProof(
        key=key,
        sql=expanded.sql,
        params=_params(query, described, proof, casts, session.types),
        columns=_columns(session, query, described, proof, spans=[span for _, span in spans]),
        cardinality=proof.rows.cardinality,
        cardinality_reason=proof.rows.reason,
        cardinality_offset=_recorded(proof.rows.location),
        reads=proof.reads,
        writes=proof.writes,
        operation=proof.operation,
        stand_ins=_stand_ins(session, expanded.sql, described.params),
        embeds=tuple(_embed(session, query, embed, first, found) for (embed, (first, _)), found in embeds),
        variants=variants,
    )


def _recorded(place: int | None) -> int:
    """Return an index or offset as `proofs.json` has it: -1 for none."""
    return -1 if place is None else place


def _expand(session: Session, sql: str, param_types: Sequence[str]) -> Expanded:
    """Return a text with its stars expanded. If the tree cannot be read, they stay, which does no harm."""
    stars = stars_in(sql)
    if not stars:
        return Expanded(sql, {})
    try:
        tree = analysed_query(session.connection, sql, [session.facts.type_oid(name) for name in param_types])
        return expand_stars(session.facts, tree, sql, stars, partial(_quoted, session.connection), partial(_names, session))
    except UNREADABLE:
        return Expanded(sql, {})


def _described(session: Session, sql: str) -> Description | None:
    try:
        return describe(session.connection, sql, {})
    except Refused:
        return None


def _names(session: Session, sql: str) -> Sequence[str]:
    described = _described(session, sql)
    return [column.name for column in described.columns] if described else []


def _quoted(connection: psycopg.Connection[Any], names: Sequence[str]) -> Mapping[str, str]:
    rows = connection.execute("SELECT name, quote_ident(name) FROM unnest(%s::text[]) AS name", [list(names)]).fetchall()
    return dict(rows)


def _refuse_missing(query: ir.UnprovenQuery, described: Description) -> None:
    """Raise `Refused` where PostgreSQL reads something else than a parameter, so that what it limits would not be limited."""
    missing = [param for param in query.params if param.number > len(described.params)]
    if missing:
        names = ", ".join(f"`{param.name}`" for param in missing)
        raise Refused(f"PostgreSQL does not read {names} as a parameter", hint="write a space before and after it.", by_postgres=False)


def _refuse_scalar_slices(types: TypeNames, query: ir.UnprovenQuery, described: Description) -> None:
    """Raise `Refused` for `x = sqlc.slice(ids)`, which would take a single value."""
    for param in query.params:
        if (
            param.sliced
            and param.number <= len(described.params)
            and not types.proof_name(described.params[param.number - 1]).endswith("[]")
        ):
            raise Refused(
                f"sqlc.slice({param.name}) stands for a list, and is used as a single value",
                offset=_placeholder(query.sql, param.number),
                hint=f"write `IN (sqlc.slice({param.name}))`, or `= ANY (sqlc.slice({param.name}))`; "
                f"for one value, sqlc.arg({param.name}).",
                by_postgres=False,
            )


def _placeholder(sql: str, number: int) -> int | None:
    return next((token.start for token in significant(sql) if token.text == f"${number}"), None)


def _span(query: ir.UnprovenQuery, embed: ir.UnprovenEmbed, expanded: Expanded) -> tuple[int, int]:
    """Return which result columns an embedded row has: the first one, and how many."""
    span = expanded.outputs.get(embed.star)
    if span is None:
        raise _no_row(query, embed, "is not among the columns that the query itself returns")
    return span


def _no_row(query: ir.UnprovenQuery, embed: ir.UnprovenEmbed, why: str) -> Refused:
    star = stars_in(query.sql)[embed.star]
    return Refused(f"sqlc.embed({embed.name}) {why}", offset=star.start, hint="select the columns one by one.", by_postgres=False)


def _embed(session: Session, query: ir.UnprovenQuery, embed: ir.UnprovenEmbed, first: int, found: EmbedProof | None) -> ProvenEmbed:
    if found is None:
        raise _no_row(query, embed, "is not the row of one table or view here")
    places = [place for attribute in found.attributes if (place := session.located.get((found.relation, attribute)))]
    if not places:
        raise _no_row(query, embed, "is a row of PostgreSQL's own catalog, of which there are no classes")
    schema, name, _ = places[0]
    table = next(table for table in session.catalog.tables if (table.schema, table.name) == (schema, name))
    own = {column.name: column for column in table.columns}
    columns = tuple(column for _, _, column in places)
    if set(columns) != own.keys():
        raise _no_row(query, embed, f"does not have all columns of `{name}`")
    if columns != tuple(own):
        # The row class is built by position.
        raise _no_row(query, embed, f"has the columns of `{name}` in another order")
    for column, verdict in zip(columns, found.present, strict=True):
        if verdict.nullable and own[column].not_null:
            raise _no_row(query, embed, f"has a column `{column}` that may be NULL here, unlike in `{name}`: {verdict.reason}")
        if verdict.element_nullable and own[column].type.endswith("[]") and not own[column].element_nullable:
            raise _no_row(query, embed, f"has an array `{column}` that may hold NULL here, unlike in `{name}`")
    presence_column = next((index for index, verdict in enumerate(found.present) if not verdict.nullable), None)
    return ProvenEmbed(first, schema, name, columns, found.absent, _recorded(presence_column))


def _stand_ins(session: Session, sql: str, param_types: tuple[int, ...]) -> tuple[str, ...]:
    if not session.stand_ins:
        return ()
    try:
        called = functions_called(analysed_query(session.connection, sql, param_types))
    except UNREADABLE:
        return ()
    return tuple(sorted({session.stand_ins[oid] for oid in called if oid in session.stand_ins}))


def _try_copy(connection: psycopg.Connection[Any], copied: ir.CopiedColumns, sql: str) -> None:
    """Copy no rows, to see whether PostgreSQL accepts the COPY. It has no casts, so those in the query must change nothing."""
    for column, number, cast in zip(copied.columns, copied.params, copied.casts, strict=True):
        if cast:
            both = f"SELECT {column}, NULL::{cast} FROM {copied.table} LIMIT 0"  # noqa: S608 - parts of the query, which was prepared before
            result = connection.execute(both.encode()).pgresult
            # A cast to a length cuts the value, where an assignment refuses it.
            if result is None or result.ftype(0) != result.ftype(1) or result.fmod(1) != -1:
                raise Refused(
                    f":copyfrom casts a parameter to {cast}, which is not the type of column {column} as it is",
                    offset=_placeholder(sql, number),
                    hint="remove the cast: a parameter has the type of its column.",
                    by_postgres=False,
                )
    try:
        with connection.transaction(), connection.cursor().copy(copy_sql(copied, binary=False).encode()):
            pass
    except psycopg.Error as error:
        raise Refused(
            error.diag.message_primary or str(error), hint=error.diag.message_hint or "use :batchexec.", sqlstate=error.diag.sqlstate
        ) from error


def _param_dimensions(query: ir.UnprovenQuery, described: Description, types: TypeNames) -> dict[int, int]:
    """Return how many dimensions array parameters have: those of the cast in the query, or of their column or domain."""
    written = {param.number: param.sqlc_type.count("[]") for param in query.params}
    counts = {n: max(written.get(n, 0), types.proof_name(oid).count("[]")) for n, oid in enumerate(described.params, start=1)}
    return {number: count for number, count in counts.items() if count > 1}


def _params(
    query: ir.UnprovenQuery, described: Description, proof: StatementProof, casts: Mapping[int, str], types: TypeNames
) -> tuple[ProvenParam, ...]:
    dimensions = _param_dimensions(query, described, types)
    return tuple(
        ProvenParam(
            casts[number],
            with_dimensions(types.proof_name(oid), dimensions.get(number, 1)),
            found.nullable,
            found.element_nullable,
            found.reason,
            found.refused_by,
        )
        for number, (oid, found) in enumerate(zip(described.params, proof.params, strict=True), start=1)
    )


def _columns(
    session: Session, query: ir.UnprovenQuery, described: Description, proof: StatementProof, *, spans: Sequence[tuple[int, int]]
) -> tuple[ProvenColumn, ...]:
    found = proof.columns or (unproven_column(proof.rows.reason),) * len(described.columns)
    columns: list[ProvenColumn] = []
    for column, verdict, said in zip(described.columns, found, _said(query, described, spans), strict=True):
        type_name = with_dimensions(session.types.proof_name(column.type), verdict.dimensions)
        place = session.located.get(column.origin) if column.origin else None
        columns.append(
            ProvenColumn(
                name=column.name,
                type=type_name,
                nullable=verdict.nullable,
                element_nullable=verdict.element_nullable,
                always_null=verdict.always_null,
                reason=verdict.reason,
                offset=_recorded(verdict.location),
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
        RecordField(
            with_dimensions(types.declared_name(f.type), f.dimensions),
            f.nullability.nullable,
            f.nullability.element_nullable,
            _fields(f.fields, types),
        )
        for f in fields
    )


def _said(query: ir.UnprovenQuery, described: Description, spans: Sequence[tuple[int, int]]) -> list[ir.UnprovenColumn | None]:
    """Return sqlc's view of each column that PostgreSQL returns: None for embedded ones, and from where the names differ."""
    embedded = {index for first, count in spans for index in range(first, first + count)}
    pending = list(query.columns)
    said: list[ir.UnprovenColumn | None] = []
    for index, column in enumerate(described.columns):
        known = index not in embedded and bool(pending) and pending[0].sql_name in {"", column.name}
        said.append(pending.pop(0) if known else None)
    return said


def _overruled(said: ir.UnprovenColumn, type_name: str, *, nullable: bool) -> str:
    """Return the type that sqlc inferred for the column, if PostgreSQL disagrees; "" if both agree."""
    if canonical_name(said.sqlc_type) == type_name and said.sqlc_not_null is not nullable:
        return ""
    return f"{said.sqlc_type or 'any'}{' not null' if said.sqlc_not_null else ''}"
