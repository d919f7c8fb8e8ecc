"""The compiler on one screen: a request in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlwright import ir
from sqlwright.assemble import assemble
from sqlwright.check import check
from sqlwright.claims import audit
from sqlwright.diagnostics import CompileError, Diagnostic, Place, Severity, has_errors, in_order
from sqlwright.options import Options, read_options
from sqlwright.output import is_there
from sqlwright.protocol import GenerateRequest
from sqlwright.prove import lock, standins
from sqlwright.prove.proof import Progress, Proofs
from sqlwright.prove.reuse import prove
from sqlwright.prove.schema import Schema, read_schema
from sqlwright.prove.server import URL_VARIABLE, ServerUnavailable
from sqlwright.prove.sessions import Sessions
from sqlwright.render import Queriers, render
from sqlwright.resolve import resolve
from sqlwright.sources import CONFIG_NAMES, QuerySource, read_queries
from sqlwright.wishes import audit_wishes


@dataclass(frozen=True, slots=True)
class Compilation:
    """A finished run: the files to write under `out` (relative to the project), and what they were made from.

    `recorded_major` is the PostgreSQL that the proofs on record before are of.
    """

    out: str
    options: Options
    package: ir.Package
    proofs: Proofs
    warnings: tuple[Diagnostic, ...]
    files: tuple[ir.SourceFile, ...]
    recorded_major: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is read from the project itself, beside sqlc's request: its configuration, queries by name, schema, and recorded proofs."""

    config_name: str
    config_text: str
    sources: Mapping[str, QuerySource]
    schema: Schema
    recorded: Proofs | None
    damage: Diagnostic | None = None


def read_inputs(project: Path, *, schema: Schema, queries: tuple[str, ...], out: str) -> Inputs:
    """Read the project's files. `queries` are paths as sqlc takes them, `out` is the folder of the generated package.

    Raises:
        FileNotFoundError: nothing is there under one of the paths.
    """
    return Inputs(*_read_config(project), read_queries(project, queries), schema, *_recorded(project, out))


def compile_request(
    request: GenerateRequest,
    *,
    project: Path,
    sessions: Sessions,
    inputs: Inputs | None = None,
    anew: bool = False,
    progress: Progress = lambda done, of: None,
) -> Compilation:
    """Run every stage behind `decode`. `project` is the folder of sqlc.yaml; with `anew`, every query is proven again if there is a server.

    `sessions` are shared by all requests of a run; `inputs` are those of the project where they have been read already.

    Raises:
        CompileError: with everything that the failing stage found.
    """
    settings = request.settings
    if inputs is None or not all(query.name in inputs.sources for query in request.queries):
        inputs = _inputs_of(project, request)
    options = read_options(
        request.global_options,
        request.plugin_options,
        out=settings.codegen.out,
        config_name=inputs.config_name,
        config_text=inputs.config_text,
    )
    unproven = replace(
        resolve(request.queries, inputs.sources, {file.path for file in inputs.schema.files}), nullable_elements=options.nullable_elements
    )
    damage = [inputs.damage] if inputs.damage else []
    try:
        proofs, doubts = _prove(unproven, inputs, sessions, settings.codegen.out, progress, anew=anew)
    except CompileError as error:
        raise CompileError([*damage, *error.diagnostics]) from error
    if anew:
        doubts += damage
    wishes = audit_wishes(unproven, proofs, options, config_name=inputs.config_name)
    package = assemble(unproven, proofs, options)
    claims = audit(unproven, proofs, strict_one=options.strict_one)
    found = in_order([*doubts, *_stand_ins(unproven, proofs, embedded=sessions.embedded), *claims, *wishes, *check(package)])
    if has_errors(found):
        raise CompileError(found)
    files = render(
        package,
        package_name=options.package,
        clients=options.clients,
        queriers=Queriers(sync=options.emit_sync_querier, asynchronous=options.emit_async_querier),
        is_known=lambda file: is_there(project / settings.codegen.out, file),
    )
    record = ir.SourceFile(lock.FILE_NAME, lock.dump(proofs))
    return Compilation(
        settings.codegen.out,
        options,
        package,
        proofs,
        tuple(found),
        tuple(sorted((*files, record), key=lambda file: file.path)),
        inputs.recorded.postgres_major if inputs.recorded else proofs.postgres_major,
    )


def _read_config(project: Path) -> tuple[str, str]:
    """The configuration's name and text, for places of errors only; sqlc has read it already."""
    found = next((name for name in CONFIG_NAMES if (project / name).is_file()), "")
    return found, (project / found).read_text(encoding="utf-8") if found else ""


def _inputs_of(project: Path, request: GenerateRequest) -> Inputs:
    settings = request.settings
    try:
        inputs = read_inputs(project, schema=read_schema(project, settings.schema_), queries=settings.queries, out=settings.codegen.out)
    except FileNotFoundError as error:
        raise _misplaced(project, str(error)) from error
    missing = [query.filename for query in request.queries if query.name not in inputs.sources]
    if missing:
        raise _misplaced(project, missing[0])
    return inputs


def _misplaced(project: Path, path: str) -> CompileError:
    return CompileError(
        [
            Diagnostic(
                f"{path} was not found in {project}",
                help="sqlc does not tell a plugin where sqlc.yaml is: run sqlc in that folder, or run `sqlwright generate`.",
            )
        ]
    )


def _prove(
    unproven: ir.UnprovenPackage, inputs: Inputs, sessions: Sessions, out: str, progress: Progress, *, anew: bool
) -> tuple[Proofs, list[Diagnostic]]:
    """Prove; where everything is on record and cannot be proven anew for want of a server, take the record and say so in a warning."""
    try:
        return prove(unproven, inputs.schema, sessions, inputs.recorded, progress, anew=anew), []
    except ServerUnavailable as unavailable:
        doubt = replace(
            unavailable.diagnostic,
            message=f"nothing was proven anew, {out}/{lock.FILE_NAME} was believed: {unavailable.diagnostic.message}",
            severity=Severity.WARNING,
        )
        return prove(unproven, inputs.schema, sessions, inputs.recorded, progress), [doubt]


def _stand_ins(unproven: ir.UnprovenPackage, proofs: Proofs, *, embedded: bool) -> list[Diagnostic]:
    """Warn of extensions that the embedded server only declares, at the first query that calls each."""
    if not embedded:
        return []
    first: dict[str, Diagnostic] = {}
    for module in unproven.modules:
        for query in module.queries:
            for extension in proofs.queries[module.source_file, query.name].stand_ins:
                warning = Diagnostic(
                    standins.explain(extension),
                    query.source.header_place(),
                    severity=Severity.WARNING,
                    help=f"types and nullability do not depend on more; to prove where it is installed, set {URL_VARIABLE}.",
                )
                first.setdefault(extension, warning)
    return list(first.values())


def _recorded(project: Path, out: str) -> tuple[Proofs | None, Diagnostic | None]:
    """The proofs on record, and what is wrong with a record that cannot be believed."""
    file = project / out / lock.FILE_NAME
    try:
        return lock.load(file.read_text(encoding="utf-8")) if file.is_file() else None, None
    except (lock.Damaged, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, lock.Damaged) else "is not a text in UTF-8"
        return None, Diagnostic(
            f"{out}/{lock.FILE_NAME} {what}; nothing of it is believed",
            Place(f"{out}/{lock.FILE_NAME}"),
            help="every query is proven anew, and `sqlwright generate` writes the file again.",
            severity=Severity.WARNING,
        )
