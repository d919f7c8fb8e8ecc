"""From sqlc.yaml to finished compilations, one for each of our codegen entries; all of their errors at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from sqlwright.cli.configuration import read_configuration
from sqlwright.cli.sqlc import capture
from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.pipeline import Compilation, compile_request

Report: TypeAlias = Callable[[str, int, int], None]


def compile_project(config: Path, environ: Mapping[str, str], *, anew: bool, report: Report) -> tuple[Compilation, ...]:
    """Compile everything that a sqlc configuration asks of us, and touch nothing.

    With `anew`, every query is proven again if there is a server. `report` is told what is being done, how many of how many.

    Raises:
        CompileError: with the errors of sqlc and of all entries.
    """
    configuration = read_configuration(config)
    report("sqlc reads the queries", 0, 0)
    captured = capture(configuration, environ)
    # A dictionary, since two entries that share a schema or a query have the same errors.
    found: dict[Diagnostic, None] = dict.fromkeys(captured.complaints)
    compilations: list[Compilation] = []
    for request in captured.requests:
        progress = partial(report, f"PostgreSQL proves {request.settings.codegen.out}")
        try:
            compilations.append(
                compile_request(
                    request,
                    project=configuration.project,
                    environ=environ,
                    anew=anew,
                    progress=progress,
                )
            )
        except CompileError as error:
            found |= dict.fromkeys(error.diagnostics)
    if found:
        raise CompileError(found)
    return tuple(compilations)
