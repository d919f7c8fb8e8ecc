"""The check of options and annotations about types against the schema and the proofs: those without effect are reported."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlwright import ir
from sqlwright.assemble.claims import column_name
from sqlwright.diagnostics import Code, Diagnostic, Place, Severity
from sqlwright.ir.proofs import Proofs, QueryProof
from sqlwright.options import Options
from sqlwright.sql.annotations import Annotations
from sqlwright.sql.sources import QuerySource
from sqlwright.types.pgtypes import canonical_name, names
from sqlwright.types.valuetypes import matches_column


def check_options(package: ir.UnprovenPackage, proofs: Proofs, options: Options, *, config_name: str, complete: bool) -> list[Diagnostic]:
    """Report annotations that do not match JSON (errors), and options that match nothing in the schema (warnings).

    If the package is not `complete`, a type that is not known may be that of a missing query.
    """
    found = list(_options(proofs, options, Place(config_name) if config_name else None, complete=complete))
    for module in package.modules:
        for query in module.queries:
            found += _annotations(query, proofs, module.source_file)
    return found


def unknown_json(source: QuerySource, claims: Annotations, names: Collection[str]) -> Iterator[Diagnostic]:
    """Report each `@json` that names none of the columns and parameters of a query, whose `names` these are."""
    for name in claims.json:
        if name not in names:
            known = ", ".join(f"`{each}`" for each in names)
            yield Diagnostic(
                Code.ANNOTATION_WITHOUT_COLUMN,
                f"@json on query {source.name} names `{name}`, which is not one of its columns or parameters",
                source.header_place(),
                help=f"columns and parameters: {known}." if known else "",
            )


def _annotations(query: ir.UnprovenQuery, proofs: Proofs, file: str) -> Iterator[Diagnostic]:
    proof = proofs.queries[file, query.name]
    types = {column_name(column): column.type for column in proof.columns}
    numbers = {param.number: param.name for param in query.params}
    types |= {str(numbers[number]): param.type for number, param in enumerate(proof.params, start=1)}
    if query.annotations.narrow and not _is_narrower(proof, proofs):
        yield Diagnostic(
            Code.REDUNDANT_ANNOTATION,
            f"@narrow on query {query.name} is redundant: every column that is proven not NULL is NOT NULL in its table",
            query.source.header_place(),
            help="remove it.",
            severity=Severity.WARNING,
        )
    yield from unknown_json(query.source, query.annotations, types)
    for name in query.annotations.json:
        if name in types and types[name].replace("[]", "") not in {"json", "jsonb"}:
            yield Diagnostic(
                Code.JSON_ON_OTHER_TYPE,
                f"@json on query {query.name} names `{name}`, which is of type {types[name]}",
                query.source.header_place(),
                help="it applies to json, jsonb and arrays of them; use the option `overrides` for other types.",
            )


def _is_narrower(proof: QueryProof, proofs: Proofs) -> bool:
    """Whether a query proves more about a table's column than the table declares."""
    loose = {ir.Origin(t.schema, t.name, c.name) for t in proofs.catalog.tables for c in t.columns if not c.not_null}
    return any(column.origin in loose and not column.nullable for column in proof.columns)


def _types(proofs: Proofs) -> set[str]:
    """The types that have a Python class, and every type in the schema or a query."""
    catalog, queries = proofs.catalog, proofs.queries.values()
    found = {*names(), *(enum.type for enum in catalog.enums), *(user.type for user in catalog.types)}
    found |= {name for table in catalog.tables for name in (table.type, *(column.type for column in table.columns))}
    found |= {column.type for proof in queries for column in proof.columns} | {param.type for proof in queries for param in proof.params}
    return {name.replace("[]", "") for name in found}


def _options(proofs: Proofs, options: Options, place: Place | None, *, complete: bool) -> Iterator[Diagnostic]:
    catalog = proofs.catalog
    patterns = [("json", pattern) for pattern in options.json_types]
    patterns += [("overrides", override.column) for override in options.overrides if override.column]
    for option, pattern in patterns:
        if not any(matches_column(pattern, table.schema, table.name, column.name) for table in catalog.tables for column in table.columns):
            yield _without_effect(f'option "{option}": `{pattern}` matches no column of the schema', place)
    types = _types(proofs)
    for override in options.overrides if complete else ():
        if override.db_type and canonical_name(override.db_type).replace("[]", "") not in types:
            yield _without_effect(f'option "overrides": `{override.db_type}` is not a known type', place)
    tables = {table.name for table in catalog.tables}
    for name in options.inflection_exclude_table_names:
        if name not in tables:
            yield _without_effect(f'option "inflection_exclude_table_names": there is no table `{name}`', place)


def _without_effect(message: str, place: Place | None) -> Diagnostic:
    return Diagnostic(Code.OPTION_WITHOUT_EFFECT, message, place, help="check its spelling, or remove it.", severity=Severity.WARNING)
