"""The user's claims (annotations and alias marks) and the proofs: which of the two takes precedence."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.ir.proofs import ProvenColumn, QueryProof
from sqlwright.sql.annotations import OneClaim, split_alias

ONE_ROW = (ir.Command.ONE, ir.Command.BATCHONE)


def column_name(column: ProvenColumn) -> str:
    """Return a column's SQL name without the mark of a claim."""
    return marked_name(column)[0]


def marked_name(column: ProvenColumn) -> tuple[str, bool | None]:
    """Return a column's SQL name and the claim in its last character; a table column really named `total!` claims nothing."""
    unaliased = column.origin is not None and column.origin.column == column.name
    return (column.name, None) if unaliased else split_alias(column.name)


def is_nullable(query: ir.UnprovenQuery, column: ProvenColumn) -> bool:
    """Return whether a column may be None: as claimed, else as proven."""
    name, mark = marked_name(column)
    return not claims_not_null(query, column) and (column.nullable or name in query.annotations.nullable or mark is True)


def claims_not_null(query: ir.UnprovenQuery, column: ProvenColumn) -> bool:
    """Return whether the user claims that a column is never None."""
    name, mark = marked_name(column)
    return name in query.annotations.not_null or mark is False


def is_always_one(query: ir.UnprovenQuery, proof: QueryProof) -> bool:
    """Return whether a `:one` query always returns a row: as claimed, else as proven."""
    return proof.cardinality is ir.Cardinality.EXACTLY_ONE or query.annotations.one is OneClaim.EXACTLY


def why_one(query: ir.UnprovenQuery, proof: QueryProof) -> str:
    """Return why a `:one` query has no second row: the proof, or the claim; "" if the first of several rows will do."""
    claims = query.annotations
    if claims.one is OneClaim.FIRST:
        return ""
    if is_always_one(query, proof) and proof.cardinality is not ir.Cardinality.EXACTLY_ONE:
        return f"@one exactly claims it: {claims.one_reason.rstrip('.')}"
    return "" if proof.cardinality is ir.Cardinality.MANY else proof.cardinality_reason


def claims_in_words(query: ir.UnprovenQuery, proof: QueryProof) -> tuple[str, ...]:
    """Return a docstring sentence for each claim that the types rely on, so that the reader sees what is not proven."""
    sentences = [
        f"Claimed, not proven: `{column_name(column)}` is never None{_because(query.annotations.not_null.get(column_name(column), ''))}."
        for column in proof.columns
        if column.nullable and not is_nullable(query, column)
    ]
    if query.annotations.one is OneClaim.EXACTLY and proof.cardinality is not ir.Cardinality.EXACTLY_ONE:
        sentences.append(f"Claimed, not proven: there is always exactly one row{_because(query.annotations.one_reason)}.")
    return tuple(sentences)


def _because(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""
