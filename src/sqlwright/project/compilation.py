"""From sqlc.yaml to finished compilations, one per codegen entry of ours; with all of their errors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sqlwright.diagnostics import CompileError, Diagnostic, in_order
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.project.combining import Answers, reading
from sqlwright.project.configuration import Configuration, Entry, refuse_shared_outputs
from sqlwright.project.garbage import uncollected
from sqlwright.project.paths import refuse_missing
from sqlwright.project.texts import refuse_unreadable
from sqlwright.prove.scratch.schema import Schema, read_schema
from sqlwright.prove.sessions import Sessions, open_sessions
from sqlwright.sql.sources import list_queries

if TYPE_CHECKING:
    from sqlwright.pipeline import Compilation, Inputs
    from sqlwright.resolve.protocol import GenerateRequest

Report: TypeAlias = Callable[[str, int, int], None]


def compile_project(configuration: Configuration, environ: Mapping[str, str], *, anew: bool, report: Report) -> tuple[Compilation, ...]:
    """Compile every entry of ours in a sqlc configuration, without writing anything.

    With `anew`, every query is re-proven if a server is available. `report` is called with the current step, the number of queries done
    and their total.

    Raises:
        CompileError: with the errors of sqlc and of all entries.
    """
    refuse_shared_outputs(configuration)
    refuse_missing(configuration)
    refuse_unreadable(configuration)
    with uncollected(), open_sessions(configuration.project, environ) as sessions, reading(configuration, environ) as run:
        report("sqlc reads the queries", 0, 0)
        inputs = _prepare(configuration)
        _warm_up(sessions, inputs, anew=anew)
        return _compile(configuration.project, run, inputs, sessions, anew=anew, report=report)


def _prepare(configuration: Configuration) -> Mapping[Entry, Inputs | None]:
    """Import the compiler and read each entry's files, on a second processor while sqlc occupies the first."""
    import_module("sqlwright.pipeline")
    import_module("sqlwright.prove.prover")
    schemas: dict[tuple[str, ...], Schema] = {}
    return {entry: _read_early(configuration.project, entry, schemas) for entry in configuration.entries}


def _warm_up(sessions: Sessions, inputs: Mapping[Entry, Inputs | None], *, anew: bool) -> None:
    """Open the sessions that are certain to be needed while sqlc still runs; a failure is reported when they are used."""
    for found in inputs.values():
        if found and (anew or found.record.proofs is None or found.record.proofs.schema_digest != found.schema.digest):
            with suppress(CompileError, ServerUnavailable):
                sessions.over(found.schema, nullable_elements=False)


def _compile(
    project: Path, run: Answers, inputs: Mapping[Entry, Inputs | None], sessions: Sessions, *, anew: bool, report: Report
) -> tuple[Compilation, ...]:
    from sqlwright.pipeline import compile_request

    compilations: dict[Entry, Compilation] = {}
    errors: dict[Entry, CompileError] = {}
    # Each as it arrives: sqlc is still reading the other entries.
    for entry, request in run.requests():
        progress = partial(report, f"PostgreSQL proves {entry.out}")
        try:
            compilations[entry] = compile_request(request, _inputs(project, request, inputs[entry]), sessions, anew=anew, progress=progress)
        except CompileError as error:
            errors[entry] = error
    refused = {entry: files for entry, files in inputs.items() if entry not in compilations and entry not in errors and files is not None}
    # A dictionary, to remove duplicates: two entries that share a schema or a query have the same errors.
    found: dict[Diagnostic, None] = dict.fromkeys(_explained(run.complaints(), project, refused, sessions))
    for failure in _joined(errors[entry] for entry in inputs if entry in errors):
        found |= dict.fromkeys(failure.diagnostics)
    if found:
        raise CompileError(found)
    return tuple(compilations[entry] for entry in inputs)


def _joined(errors: Iterable[CompileError]) -> Iterator[CompileError]:
    """The errors, where those of packages that lack proofs for the same cause are one."""
    from sqlwright.prove.reuse import Unproven

    unproven: dict[Diagnostic, Unproven] = {}
    for error in errors:
        if isinstance(error, Unproven):
            first = unproven.get(error.cause)
            unproven[error.cause] = Unproven(
                error.cause,
                error.missing + (first.missing if first else 0),
                error.total + (first.total if first else 0),
                (*(first.others if first else ()), *error.others),
            )
        else:
            yield error
    yield from unproven.values()


def _explained(complaints: tuple[Diagnostic, ...], project: Path, refused: Mapping[Entry, Inputs], sessions: Sessions) -> list[Diagnostic]:
    if not complaints:
        return []
    from sqlwright.project.accepted import accepted
    from sqlwright.project.hidden import hidden_mistakes
    from sqlwright.project.hidden_names import hidden_names
    from sqlwright.project.second_opinion import second_opinion

    # By place: of two queries with one name, which sqlc reports, each may have other mistakes.
    queries = {entry: list_queries(project, entry.queries) for entry in refused}
    files = [
        replace(inputs, sources={f"{query.file}:{query.line}": query for query in queries[entry]}) for entry, inputs in refused.items()
    ]
    found = accepted(second_opinion(complaints, files, sessions), files, sessions)
    hidden = [each for entry in refused for each in hidden_mistakes(queries[entry], [*complaints, *found])]
    return in_order([*found, *hidden, *hidden_names(files, sessions)])


def _inputs(project: Path, request: GenerateRequest, early: Inputs | None) -> Inputs:
    """The files that were read early, or re-read where a query has been added since."""
    from sqlwright.project.inputs import read_inputs_of

    return early if early and all(query.name in early.sources for query in request.queries) else read_inputs_of(project, request)


def _read_early(project: Path, entry: Entry, schemas: dict[tuple[str, ...], Schema]) -> Inputs | None:
    """The entry's files, None if they cannot be read, which sqlc reports first. `schemas` are those read so far."""
    from sqlwright.project.inputs import read_inputs

    try:
        if entry.schema not in schemas:
            schemas[entry.schema] = read_schema(project, entry.schema)
        return read_inputs(project, schema=schemas[entry.schema], queries=entry.queries, out=entry.out)
    except (OSError, UnicodeDecodeError):
        return None
