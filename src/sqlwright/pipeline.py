"""The compiler on one screen: a request and the project's files in, generated files and diagnostics out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlwright import ir
from sqlwright.assemble.package import assemble
from sqlwright.check import check
from sqlwright.check.names import check_names
from sqlwright.diagnostics import CompileError, Diagnostic, has_errors, in_order
from sqlwright.ir.proofs import Progress, Proofs
from sqlwright.options import Options, read_options
from sqlwright.prove import lock
from sqlwright.prove.reuse import prove, proven_part
from sqlwright.prove.scratch.schema import Schema
from sqlwright.prove.sessions import Sessions
from sqlwright.render.package import render
from sqlwright.render.queriers import Queriers
from sqlwright.resolve.package import resolve
from sqlwright.resolve.protocol import GenerateRequest
from sqlwright.sql.sources import QuerySource


@dataclass(frozen=True, slots=True)
class Inputs:
    """The project's own files, as opposed to sqlc's request: configuration, queries by name, schema, and recorded proofs."""

    config_name: str
    config_text: str
    sources: Mapping[str, QuerySource]
    schema: Schema
    record: lock.Record


@dataclass(frozen=True, slots=True)
class Compilation:
    """A finished run: the files to write under `out` (relative to the project), and what they were made from.

    `recorded_major` is the PostgreSQL version of the previously recorded proofs; `proven_anew` says that none of them was reused.
    """

    out: str
    options: Options
    package: ir.Package
    proofs: Proofs
    warnings: tuple[Diagnostic, ...]
    files: tuple[ir.SourceFile, ...]
    recorded_major: int
    proven_anew: bool


def compile_request(
    request: GenerateRequest,
    inputs: Inputs,
    sessions: Sessions,
    *,
    anew: bool = False,
    progress: Progress = lambda done, of: None,
) -> Compilation:
    """Run every stage between `decode` and `encode`; with `anew`, every query is re-proven if a server is available.

    Raises:
        CompileError: with the findings of all stages. A query with an error is left out of the later ones, which the others go through.
    """
    out = request.settings.codegen.out
    options = read_options(
        request.global_options, request.plugin_options, out=out, config_name=inputs.config_name, config_text=inputs.config_text
    )
    resolved, mistakes = resolve(
        request.queries, inputs.sources, schema_files=inputs.schema.paths, nullable_elements=options.nullable_elements
    )
    mistakes += check_names(resolved)
    try:
        proofs, doubts = prove(resolved, inputs.schema, sessions, inputs.record, progress, anew=anew)
    except CompileError as error:
        raise error.beside(in_order(mistakes)) from error
    mistakes += doubts
    # From here on without the queries that have errors, so that those hide nothing.
    unproven = proven_part(resolved, proofs)
    package = assemble(unproven, proofs, options)
    complete = not has_errors(mistakes)
    mistakes += check(unproven, proofs, package, options, config_name=inputs.config_name, embedded=sessions.embedded, complete=complete)
    diagnostics = in_order(mistakes)
    if has_errors(diagnostics):
        raise CompileError(diagnostics)
    files = render(
        package,
        package_name=options.package,
        clients=options.clients,
        queriers=Queriers(sync=options.emit_sync_querier, asynchronous=options.emit_async_querier),
        registry=options.emit_registry,
        calls=options.calls,
        tracing=options.tracing,
        comments=options.comments,
    )
    recorded = inputs.record.proofs
    return Compilation(
        out,
        options,
        package,
        proofs,
        tuple(diagnostics),
        tuple(sorted((*files, ir.SourceFile(lock.FILE_NAME, lock.dump(proofs))), key=lambda file: file.path)),
        recorded.postgres_major if recorded else proofs.postgres_major,
        anew and not doubts,
    )
