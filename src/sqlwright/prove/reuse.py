"""Proving a package: recorded proofs where their keys still hold, PostgreSQL for the rest."""

from __future__ import annotations

from dataclasses import replace

from sqlwright import ir
from sqlwright.diagnostics import CompileError
from sqlwright.prove.lock import query_key
from sqlwright.prove.proof import Progress, Proofs, QueryProof
from sqlwright.prove.schema import Schema
from sqlwright.prove.server import ServerUnavailable
from sqlwright.prove.sessions import Sessions


def prove(
    package: ir.UnprovenPackage,
    schema: Schema,
    sessions: Sessions,
    recorded: Proofs | None,
    progress: Progress = lambda done, of: None,
    *,
    anew: bool = False,
) -> Proofs:
    """Prove every query of the package.

    `recorded` proofs are taken where nothing that they depend on has changed; where that is all of them, no session is opened. With `anew`
    every query is proven again. `progress` is told how many of how many are proven.

    Raises:
        CompileError: PostgreSQL refuses the schema or queries (all of them are reported), or there is something to prove and no server.
        ServerUnavailable: there is no server to prove anew what is all on record.
    """
    queries = [(module.source_file, query) for module in package.modules for query in module.queries]
    valid = (
        _valid(queries, recorded, nullable_elements=package.nullable_elements)
        if recorded is not None and recorded.schema_digest == schema.digest
        else {}
    )
    on_record = Proofs(recorded.postgres_major, schema.digest, recorded.catalog, valid) if recorded and len(valid) == len(queries) else None
    if on_record is not None and not anew:
        progress(len(queries), len(queries))
        return on_record
    try:
        session = sessions.over(schema, nullable_elements=package.nullable_elements)
        # Imported here: with every proof on record nothing of the prover is needed, nor is psycopg.
        from sqlwright.prove.prover import prove_queries

        usable = valid if recorded is not None and recorded.postgres_major == session.major and not anew else {}
        return prove_queries(session, queries, usable, progress)
    except ServerUnavailable as error:
        if on_record is not None:
            raise
        count = len(queries) - len(valid)
        missing = f"{count} of {len(queries)} queries {'has' if count == 1 else 'have'} no valid proof on record"
        raise CompileError([replace(error.diagnostic, message=f"{error.diagnostic.message}; {missing}")]) from error


def _valid(queries: list[tuple[str, ir.UnprovenQuery]], recorded: Proofs, *, nullable_elements: bool) -> dict[tuple[str, str], QueryProof]:
    found: dict[tuple[str, str], QueryProof] = {}
    for file, query in queries:
        proof = recorded.queries.get((file, query.name))
        if proof is not None and proof.key == query_key(
            query, recorded.schema_digest, recorded.postgres_major, nullable_elements=nullable_elements
        ):
            found[file, query.name] = proof
    return found
