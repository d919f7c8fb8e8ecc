"""The check of the user's claims against the proofs."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from sqlwright import ir
from sqlwright.assemble.claims import ONE_ROW, claims_not_null, column_name, marked_name
from sqlwright.diagnostics import Code, Diagnostic, Severity
from sqlwright.ir.proofs import Proofs, QueryProof
from sqlwright.resolve.package import misplaced_annotation
from sqlwright.sql.annotations import Annotations, OneClaim
from sqlwright.sql.sources import QuerySource

# No statement that writes takes LIMIT.
_READ = "bind a unique key by equality, or add LIMIT 1"
_WRITTEN = "bind a unique key by equality, or use :many, since several rows may be written"


def check_claims(package: ir.UnprovenPackage, proofs: Proofs, *, strict_one: bool) -> list[Diagnostic]:
    """Check every claim against the proofs: errors for claims that match nothing or are refuted, warnings for redundant ones.

    `:one` is a claim too: that there is at most one row. If that is neither proven nor waived by `@one`, it is a warning, and with
    `strict_one` an error.
    """
    return [
        diagnostic
        for module in package.modules
        for query in module.queries
        for diagnostic in _check(query, proofs.queries[module.source_file, query.name], strict_one=strict_one)
    ]


def unknown_columns(source: QuerySource, claims: Annotations, names: AbstractSet[str]) -> Iterator[Diagnostic]:
    """Report the claims about columns that a query does not return; `names` are those of the columns that it returns."""
    for word, claimed in (("nullable", claims.nullable), ("notnull", claims.not_null)):
        for name in claimed:
            if name not in names:
                yield Diagnostic(
                    Code.ANNOTATION_WITHOUT_COLUMN,
                    f"query {source.name} claims @{word} for `{name}`, which it does not return",
                    source.header_place(),
                    help=f"its columns: {', '.join(sorted(names)) or 'none'}.",
                )


def _check(query: ir.UnprovenQuery, proof: QueryProof, *, strict_one: bool) -> Iterator[Diagnostic]:
    place = query.source.header_place()
    claims = query.annotations
    yield from unknown_columns(query.source, claims, {column_name(column) for column in proof.columns})
    for column in proof.columns:
        name, mark = marked_name(column)
        if claims_not_null(query, column) and not column.nullable:
            yield _redundant(query, f"`{name}` is never None: {column.reason}")
        if (name in claims.nullable or mark is True) and not column.nullable:
            yield _redundant(query, f"`{name}` is never None: {column.reason}")
        if claims_not_null(query, column) and column.always_null:
            yield Diagnostic(
                Code.REFUTED_CLAIM,
                f"query {query.name} claims that `{name}` is never None, but it always is: {column.reason}",
                place,
                help="remove the claim.",
            )
    if claims.one is not None:
        yield from _check_one(query, proof)
    elif query.command in ONE_ROW and proof.cardinality is ir.Cardinality.MANY:
        optional = query.variation.optional if query.variation else frozenset[int]()
        left_out = " and ".join(f"`{param.name}`" for param in query.params if param.number in optional)
        without = f" without {left_out}, which {'is' if len(optional) == 1 else 'are'} optional" if left_out else ""
        yield Diagnostic(
            Code.UNPROVEN_ONE,
            f"query {query.name} is {query.command}, but is not proven to return at most one row{without}: {proof.cardinality_reason}",
            place,
            help=f"{_WRITTEN if proof.writes else _READ}; if the first row will do, say why: `-- @one first reason`.",
            severity=Severity.ERROR if strict_one else Severity.WARNING,
        )


def _check_one(query: ir.UnprovenQuery, proof: QueryProof) -> Iterator[Diagnostic]:
    claim = query.annotations.one
    if query.command not in ONE_ROW:
        yield misplaced_annotation(query.command, query.source, "one", "remove it, or use :one.")
    elif claim is OneClaim.EXACTLY and proof.cardinality is ir.Cardinality.EXACTLY_ONE:
        yield _redundant(query, f"exactly one row is proven: {proof.cardinality_reason}")
    elif claim is OneClaim.FIRST and proof.cardinality is not ir.Cardinality.MANY:
        yield _redundant(query, f"at most one row is proven: {proof.cardinality_reason}")


def _redundant(query: ir.UnprovenQuery, proven: str) -> Diagnostic:
    return Diagnostic(
        Code.REDUNDANT_ANNOTATION,
        f"a claim on query {query.name} is redundant: {proven}",
        query.source.header_place(),
        help="remove the claim.",
        severity=Severity.WARNING,
    )
