"""Proving a package: recorded proofs where their keys still hold, PostgreSQL for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlwright import ir
from sqlwright.diagnostics import CompileError, Diagnostic, Severity, has_errors
from sqlwright.ir.proofs import Progress, Proofs, QueryProof
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.prove.lock import Record, query_key
from sqlwright.prove.scratch.schema import Schema
from sqlwright.prove.sessions import Sessions


class Unproven(CompileError):
    """There are `missing` of `total` queries to prove and no server, because of `cause`. `others` are diagnostics apart from that."""

    def __init__(self, cause: Diagnostic, missing: int, total: int, others: Iterable[Diagnostic] = ()) -> None:
        self.cause, self.missing, self.total, self.others = cause, missing, total, tuple(others)
        lacking = f"{missing} of {total} queries {'has' if missing == 1 else 'have'} no valid proof on record"
        super().__init__([*self.others, replace(cause, message=f"{cause.message}; {lacking}")])

    def beside(self, others: Iterable[Diagnostic]) -> CompileError:
        """Return the error with other findings; only those where an error among them has left nothing to prove."""
        others = tuple(others)
        if not self.missing and has_errors(others):
            return CompileError([*others, *self.others])
        return Unproven(self.cause, self.missing, self.total, (*others, *self.others))


def prove(
    package: ir.UnprovenPackage,
    schema: Schema,
    sessions: Sessions,
    record: Record,
    progress: Progress = lambda done, of: None,
    *,
    anew: bool = False,
) -> tuple[Proofs, list[Diagnostic]]:
    """Prove every query of the package, and return the proofs with errors of the queries that have none, and warnings about the record.

    Recorded proofs are reused if nothing that they depend on has changed; if all are, no session is opened. With `anew`
    every query is proven again, unless there is no server and everything is on record. `progress` is called with how many of how many are
    proven.

    Raises:
        CompileError: PostgreSQL refuses the schema, or there is something to prove and no server.
    """
    damage = [record.damage] if record.damage else []
    try:
        proofs, refusals = _prove(package, schema, sessions, record.proofs, progress, anew=anew)
    except CompileError as error:
        raise error.beside(damage) from error
    except ServerUnavailable as unavailable:
        doubt = replace(
            unavailable.diagnostic,
            message=f"nothing was proven anew; the recorded proofs were reused: {unavailable.diagnostic.message}",
            severity=Severity.WARNING,
        )
        proofs, refusals = _prove(package, schema, sessions, record.proofs, progress, anew=False)
        return proofs, [doubt, *refusals]
    return proofs, [*(damage if anew or refusals else ()), *refusals]


def proven_part(package: ir.UnprovenPackage, proofs: Proofs) -> ir.UnprovenPackage:
    """Return the package without the queries that have no proof, and without modules that are left empty."""
    if len(proofs.queries) == sum(len(module.queries) for module in package.modules):
        return package
    modules = (
        replace(module, queries=tuple(query for query in module.queries if (module.source_file, query.name) in proofs.queries))
        for module in package.modules
    )
    return replace(package, modules=tuple(module for module in modules if module.queries))


def _prove(
    package: ir.UnprovenPackage, schema: Schema, sessions: Sessions, recorded: Proofs | None, progress: Progress, *, anew: bool
) -> tuple[Proofs, list[Diagnostic]]:
    queries = [(module.source_file, query) for module in package.modules for query in module.queries]
    valid = (
        _valid(queries, recorded, nullable_elements=package.nullable_elements)
        if recorded is not None and recorded.schema_digest == schema.digest
        else {}
    )
    on_record = Proofs(recorded.postgres_major, schema.digest, recorded.catalog, valid) if recorded and len(valid) == len(queries) else None
    if on_record is not None and not anew:
        progress(len(queries), len(queries))
        return on_record, []
    try:
        session = sessions.over(schema, nullable_elements=package.nullable_elements)
        # Imported here: with every proof on record nothing of the prover is needed, nor is psycopg.
        from sqlwright.prove.prover import prove_queries

        usable = valid if recorded is not None and recorded.postgres_major == session.major and not anew else {}
        return prove_queries(session, queries, usable, progress)
    except ServerUnavailable as error:
        if on_record is not None:
            raise
        raise Unproven(error.diagnostic, len(queries) - len(valid), len(queries)) from error


def _valid(queries: list[tuple[str, ir.UnprovenQuery]], recorded: Proofs, *, nullable_elements: bool) -> dict[tuple[str, str], QueryProof]:
    found: dict[tuple[str, str], QueryProof] = {}
    for file, query in queries:
        proof = recorded.queries.get((file, query.name))
        if proof is not None and proof.key == query_key(
            query, recorded.schema_digest, recorded.postgres_major, nullable_elements=nullable_elements
        ):
            found[file, query.name] = proof
    return found
