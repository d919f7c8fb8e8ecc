"""Bring the generated folders up to date, or check whether they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlwright.diagnostics import Diagnostic
from sqlwright.project.compilation import Report, compile_project
from sqlwright.project.configuration import Configuration, read_configuration
from sqlwright.project.memory import Memory, PackageFacts, file_hash, fingerprint, recall, remember, server_name

if TYPE_CHECKING:
    from sqlwright.pipeline import Compilation
    from sqlwright.project.folder import Difference


@dataclass(frozen=True, slots=True)
class Majors:
    """The PostgreSQL versions of the recorded proofs and of the server, for a package where they differ."""

    out: str
    recorded: int
    server: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The packages, warnings, the files that differ from the compilation (which `update` has written), and the number that do not.

    `other_majors` is for packages whose recorded proofs are from another PostgreSQL version than the server's.
    """

    packages: tuple[PackageFacts, ...]
    warnings: tuple[Diagnostic, ...]
    differences: tuple[Difference, ...]
    unchanged: int
    other_majors: tuple[Majors, ...] = ()


def update(config: Path, environ: Mapping[str, str], report: Report) -> Outcome:
    """Compile the project and write the files that differ, all or nothing.

    Raises:
        CompileError: with all errors; nothing was written.
    """
    configuration = read_configuration(config)
    made_from = fingerprint(configuration, environ)
    if last := recall(configuration, made_from):
        return _nothing_to_do(last)
    compilations = compile_project(configuration, environ, anew=False, report=report)
    from sqlwright.project.folder import compare
    from sqlwright.project.writing import alone, write

    with alone(configuration.project):
        comparison = compare(configuration.project, compilations)
        write(comparison)
    outcome = Outcome(_facts(compilations), _warnings(compilations), comparison.differences, comparison.unchanged)
    _remember(configuration, environ, made_from, compilations, proven_on=None)
    return outcome


def examine(config: Path, environ: Mapping[str, str], report: Report) -> Outcome:
    """Re-prove every query and compare the result with the generated folders, without writing them.

    If the embedded server has already proven the same and nothing has changed since, that result is used.

    Raises:
        CompileError: with all errors.
    """
    configuration = read_configuration(config)
    made_from = fingerprint(configuration, environ)
    server = server_name(environ)
    if server and (last := recall(configuration, made_from)) and last.proven_on == server:
        return _nothing_to_do(last)
    compilations = compile_project(configuration, environ, anew=True, report=report)
    from sqlwright.project.folder import compare

    comparison = compare(configuration.project, compilations)
    majors = tuple(
        Majors(found.out, found.recorded_major, found.proofs.postgres_major)
        for found in compilations
        if found.recorded_major != found.proofs.postgres_major
    )
    if not comparison.differences:
        _remember(
            configuration, environ, made_from, compilations, proven_on=server if all(found.proven_anew for found in compilations) else None
        )
    return Outcome(_facts(compilations), _warnings(compilations), comparison.differences, comparison.unchanged, majors)


def _nothing_to_do(last: Memory) -> Outcome:
    return Outcome(last.packages, last.warnings, (), len(last.files))


def _facts(compilations: tuple[Compilation, ...]) -> tuple[PackageFacts, ...]:
    return tuple(_package_facts(compilation) for compilation in compilations)


def _package_facts(compilation: Compilation) -> PackageFacts:
    from sqlwright.options import Clients

    queries = sum(len(module.queries) for module in compilation.package.modules)
    return PackageFacts(compilation.out, queries, queries * (2 if compilation.options.clients is Clients.BOTH else 1))


def _warnings(compilations: tuple[Compilation, ...]) -> tuple[Diagnostic, ...]:
    # Each once: packages that share a file or the schema have the same warnings.
    return tuple(dict.fromkeys(warning for compilation in compilations for warning in compilation.warnings))


def _remember(
    configuration: Configuration,
    environ: Mapping[str, str],
    made_from: str | None,
    compilations: tuple[Compilation, ...],
    *,
    proven_on: str | None,
) -> None:
    # A file saved meanwhile may have been read before or after the change.
    if made_from is None or made_from != fingerprint(configuration, environ):
        return
    files = {f"{c.out}/{file.path}": file_hash(file.text.encode()) for c in compilations for file in c.files}
    remember(configuration, Memory(made_from, files, _facts(compilations), _warnings(compilations), proven_on))
