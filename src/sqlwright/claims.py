"""The user's claims (annotations and alias marks) beside the proofs: what counts, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlwright import ir
from sqlwright.annotations import OneClaim, split_alias
from sqlwright.diagnostics import Diagnostic, Severity
from sqlwright.prove.proof import Proofs, ProvenColumn, QueryProof

# LIMIT stands in no statement that writes.
_READ = "bind a unique key by equality, or add LIMIT 1"
_WRITTEN = "bind a unique key by equality, or use :many, since several rows may be written"
_ONE = (ir.Command.ONE, ir.Command.BATCHONE)


def column_name(column: ProvenColumn) -> str:
    """A column's SQL name without the mark of a claim."""
    return _marked(column)[0]


def _marked(column: ProvenColumn) -> tuple[str, bool | None]:
    """A column's SQL name and the claim in its last character; a table column that is really called `total!` claims nothing."""
    unaliased = column.origin is not None and column.origin.column == column.name
    return (column.name, None) if unaliased else split_alias(column.name)


def is_nullable(query: ir.UnprovenQuery, column: ProvenColumn) -> bool:
    """Whether a column may be None: as claimed, else as proven."""
    name, mark = _marked(column)
    return not claims_not_null(query, column) and (column.nullable or name in query.annotations.nullable or mark is True)


def claims_not_null(query: ir.UnprovenQuery, column: ProvenColumn) -> bool:
    """Whether the user claims that a column is never None."""
    name, mark = _marked(column)
    return name in query.annotations.not_null or mark is False


def is_always_one(query: ir.UnprovenQuery, proof: QueryProof) -> bool:
    """Whether a `:one` query returns a row each time: as claimed, else as proven."""
    return proof.cardinality is ir.Cardinality.EXACTLY_ONE or query.annotations.one is OneClaim.EXACTLY


def why_one(query: ir.UnprovenQuery, proof: QueryProof) -> str:
    """Return why a `:one` query has no second row: the proof, or the claim; "" where the first of several rows will do."""
    claims = query.annotations
    if claims.one is OneClaim.FIRST:
        return ""
    if is_always_one(query, proof) and proof.cardinality is not ir.Cardinality.EXACTLY_ONE:
        return f"@one exactly claims it: {claims.one_reason.rstrip('.')}"
    return "" if proof.cardinality is ir.Cardinality.MANY else proof.cardinality_reason


def claims_in_words(query: ir.UnprovenQuery, proof: QueryProof) -> tuple[str, ...]:
    """A sentence for each claim that the types rest on, for the docstring: the reader must see what is not proven."""
    sentences = [
        f"Claimed, not proven: `{column_name(column)}` is never None{_because(query.annotations.not_null.get(column_name(column), ''))}."
        for column in proof.columns
        if column.nullable and not is_nullable(query, column)
    ]
    if query.annotations.one is OneClaim.EXACTLY and proof.cardinality is not ir.Cardinality.EXACTLY_ONE:
        sentences.append(f"Claimed, not proven: there is always exactly one row{_because(query.annotations.one_reason)}.")
    return tuple(sentences)


def audit(package: ir.UnprovenPackage, proofs: Proofs, *, strict_one: bool) -> list[Diagnostic]:
    """Hold every claim against the proofs: errors for claims that fit nothing or are refuted, warnings for needless ones.

    A `:one` is a claim too, that there is at most one row. Where that is neither proven nor waived by `@one`, it is a warning, and with
    `strict_one` an error.
    """
    return [
        diagnostic
        for module in package.modules
        for query in module.queries
        for diagnostic in _audit(query, proofs.queries[module.source_file, query.name], strict_one=strict_one)
    ]


def _audit(query: ir.UnprovenQuery, proof: QueryProof, *, strict_one: bool) -> Iterator[Diagnostic]:
    place = query.source.header_place()
    names = {column_name(column) for column in proof.columns}
    claims = query.annotations
    for word, claimed in (("nullable", claims.nullable), ("notnull", claims.not_null)):
        for name in claimed:
            if name not in names:
                yield Diagnostic(
                    f"query {query.name} claims @{word} for `{name}`, which it does not return",
                    place,
                    help=f"its columns: {', '.join(sorted(names)) or 'none'}.",
                )
    for column in proof.columns:
        name, mark = _marked(column)
        if claims_not_null(query, column) and not column.nullable:
            yield _needless(query, f"`{name}` is never None: {column.reason}")
        if (name in claims.nullable or mark is True) and not column.nullable:
            yield _needless(query, f"`{name}` is never None: {column.reason}")
        if claims_not_null(query, column) and column.always_null:
            yield Diagnostic(
                f"query {query.name} claims that `{name}` is never None, and it always is: {column.reason}", place, help="remove the claim."
            )
    if claims.one is not None:
        yield from _audit_one(query, proof)
    elif query.command in _ONE and proof.cardinality is ir.Cardinality.MANY:
        yield Diagnostic(
            f"query {query.name} is {query.command}, and at most one row is not proven: {proof.cardinality_reason}",
            place,
            help=f"{_WRITTEN if proof.writes else _READ}; if the first row will do, say why: `-- @one first reason`.",
            severity=Severity.ERROR if strict_one else Severity.WARNING,
        )


def _audit_one(query: ir.UnprovenQuery, proof: QueryProof) -> Iterator[Diagnostic]:
    claim = query.annotations.one
    if query.command not in _ONE:
        yield Diagnostic(
            f"@one on query {query.name}, which is {query.command}", query.source.header_place(), help="remove it, or use :one."
        )
    elif claim is OneClaim.EXACTLY and proof.cardinality is ir.Cardinality.EXACTLY_ONE:
        yield _needless(query, f"exactly one row is proven: {proof.cardinality_reason}")
    elif claim is OneClaim.FIRST and proof.cardinality is not ir.Cardinality.MANY:
        yield _needless(query, f"at most one row is proven: {proof.cardinality_reason}")


def _needless(query: ir.UnprovenQuery, proven: str) -> Diagnostic:
    return Diagnostic(
        f"a claim on query {query.name} is needless: {proven}",
        query.source.header_place(),
        help="remove the claim.",
        severity=Severity.WARNING,
    )


def _because(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""
