"""The project's own files that a compilation reads."""

from __future__ import annotations

import re
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.pipeline import Inputs
from sqlwright.prove import lock
from sqlwright.prove.scratch.schema import Schema, read_schema
from sqlwright.resolve.protocol import GenerateRequest
from sqlwright.sql.sources import CONFIG_NAMES, expand_paths, read_queries, read_text, relative_name


def read_inputs(project: Path, *, schema: Schema, queries: tuple[str, ...], out: str) -> Inputs:
    """Read the project's files. `queries` are paths as sqlc accepts them, `out` is the folder of the generated package.

    Raises:
        FileNotFoundError: one of the paths matches nothing.
    """
    path = f"{out}/{lock.FILE_NAME}"
    return Inputs(*_read_config(project), read_queries(project, queries), schema, lock.read_record(project / path, path))


def read_inputs_of(project: Path, request: GenerateRequest) -> Inputs:
    """Read the files that a request names.

    Raises:
        CompileError: one of them does not exist in the project.
    """
    settings = request.settings
    try:
        inputs = read_inputs(project, schema=read_schema(project, settings.schema_), queries=settings.queries, out=settings.codegen.out)
    except FileNotFoundError as error:
        raise _misplaced(project, str(error)) from error
    missing = [query for query in request.queries if query.name not in inputs.sources]
    if missing:
        files = [file for file in expand_paths(project, settings.queries) if file.name == Path(missing[0].filename).name]
        if not files:
            raise _misplaced(project, missing[0].filename)
        raise CompileError([_hidden_name_line(query.name, project, files) for query in missing])
    return inputs


def _read_config(project: Path) -> tuple[str, str]:
    """The configuration's name and text, used only for places in errors; sqlc has already read it."""
    found = next((name for name in CONFIG_NAMES if (project / name).is_file()), "")
    return found, (project / found).read_text(encoding="utf-8") if found else ""


def _hidden_name_line(name: str, project: Path, files: list[Path]) -> Diagnostic:
    """Report a name that sqlc reads from a comment that follows a statement or spans several lines."""
    place = None
    for file in files:
        for number, line in enumerate(read_text(file, relative_name(file, project)).split("\n"), start=1):
            if found := re.search(rf"name:\s*({re.escape(name)})\b", line):
                place = Place(relative_name(file, project), number, found.start(1) + 1, line.rstrip("\r"), len(name))
    return Diagnostic(
        Code.UNREAD_NAME_LINE,
        f"query {name} has no name line of its own",
        place,
        help=f"start the name line in the first column, above its statement: `-- name: {name} :command`.",
    )


def _misplaced(project: Path, path: str) -> CompileError:
    return CompileError(
        [
            Diagnostic(
                Code.MISSING_PATH,
                f"{path} was not found in {project}",
                help="sqlc does not tell a plugin where sqlc.yaml is: run sqlc in that folder, or run `sqlwright generate`.",
            )
        ]
    )
