"""Bringing the generated folders up to date, or finding that they are.

What a run has written is remembered in `.sqlwright`, with the hash of everything that it was made from: this compiler, the project's
files, and sqlc's requests. Where none of that has changed, and every file is still as it was written, there is nothing to compile.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlwright
from sqlwright.diagnostics import Diagnostic, Place, Severity
from sqlwright.postgres.embedded import STATE_FOLDER, make_state_folder
from sqlwright.project.compilation import Report, compile_answer, prepare, warm_up
from sqlwright.project.configuration import Configuration, read_configuration
from sqlwright.project.garbage import uncollected
from sqlwright.project.paths import refuse_missing
from sqlwright.project.sqlc import reading
from sqlwright.project.texts import refuse_unreadable
from sqlwright.prove.sessions import open_sessions
from sqlwright.sql.sources import CONFIG_NAMES, expand_paths

if TYPE_CHECKING:
    from sqlwright.pipeline import Compilation
    from sqlwright.project.folder import Difference

# What is generated depends on these beside our own code; Python's own version is in the hash too.
_PARTS = ("inflection", "pydantic")


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """A generated package: its folder, its number of queries, and of functions."""

    out: str
    queries: int
    functions: int


@dataclass(frozen=True, slots=True)
class Update:
    """What a run found and did: the packages, what it warns of, the files that it wrote or removed, and how many it left."""

    packages: tuple[PackageFacts, ...]
    warnings: tuple[Diagnostic, ...]
    differences: tuple[Difference, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Memory:
    """The last run: the hashes of what it was made from, and of each file that it made, by its path from the project."""

    made_from: str
    answer: str
    files: dict[str, str]
    packages: tuple[PackageFacts, ...]
    warnings: tuple[Diagnostic, ...]


def update(config: Path, environ: Mapping[str, str], report: Report) -> Update:
    """Compile the project and make the folders as generated, all or nothing.

    Raises:
        CompileError: with all errors; nothing was written.
    """
    configuration = read_configuration(config)
    refuse_missing(configuration)
    refuse_unreadable(configuration)
    with uncollected(), open_sessions(configuration.project, environ) as sessions, reading(configuration, environ) as finish:
        report("sqlc reads the queries", 0, 0)
        made_from = _made_from(configuration)
        last = _recall(configuration)
        inputs = None if last and made_from and last.made_from == made_from else prepare(configuration, proving=True)
        warm_up(sessions, inputs or {}, anew=False)
        answer = finish()
        digest = answer.digest()
        if last and inputs is None and digest and last.answer == digest and _is_as_written(configuration, last.files):
            return Update(last.packages, last.warnings, (), len(last.files))
        compilations = compile_answer(answer, inputs or prepare(configuration, proving=False), sessions, anew=False, report=report)
        from sqlwright.project.folder import compare
        from sqlwright.project.writing import alone, write

        with alone(configuration.project):
            comparison = compare(configuration.project, compilations)
            write(comparison)
        packages = tuple(_facts(compilation) for compilation in compilations)
        warnings = tuple(warning for compilation in compilations for warning in compilation.warnings)
        # A file that was saved meanwhile may have been read before or after.
        if made_from and made_from == _made_from(configuration):
            files = {f"{c.out}/{file.path}": _hash(file.text.encode()) for c in compilations for file in c.files}
            _remember(configuration, _Memory(made_from, digest, files, packages, warnings))
        return Update(packages, warnings, comparison.differences, comparison.unchanged)


def _facts(compilation: Compilation) -> PackageFacts:
    from sqlwright.options import Clients

    queries = sum(len(module.queries) for module in compilation.package.modules)
    return PackageFacts(compilation.out, queries, queries * (2 if compilation.options.clients is Clients.BOTH else 1))


def _warning(document: dict[str, Any]) -> Diagnostic:
    place = document["place"]
    fields: dict[str, Any] = document | {"place": Place(**place) if place else None, "severity": Severity(document["severity"])}
    return Diagnostic(**fields)


def _made_from(configuration: Configuration) -> str:
    """Hash the compiler and the project's files; "" where one of them cannot be read."""
    hasher = hashlib.sha256()
    try:
        for name, content in _read(configuration):
            hasher.update(f"{name}\0{_hash(content)}\n".encode())
    except (OSError, UnicodeEncodeError):
        return ""
    return hasher.hexdigest()


def _read(configuration: Configuration) -> Iterator[tuple[str, bytes]]:
    yield "Python", sys.version.encode()
    yield "compiler", _program().encode()
    project = configuration.project
    for name in sorted({configuration.path.name, *CONFIG_NAMES}):
        path = project / name
        yield name, path.read_bytes() if path.is_file() else b""
    for paths in dict.fromkeys(paths for entry in configuration.entries for paths in (entry.queries, entry.schema)):
        for path in expand_paths(project, paths):
            yield str(path), path.read_bytes()


@cache
def _program() -> str:
    """Every file of the compiler by name, size and time: someone may be working on it."""
    return "\n".join(sorted(_files_of_program()))


def _files_of_program() -> Iterator[str]:
    for module in (sqlwright.__name__, *_PARTS):
        spec = find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        for path in folder.rglob("*.py") if module == sqlwright.__name__ else folder.glob("*.py"):
            status = path.stat()
            yield f"{path} {status.st_size} {status.st_mtime_ns}"


def _is_as_written(configuration: Configuration, files: Mapping[str, str]) -> bool:
    """Whether the folders hold these files, each with the content of this hash, and no other Python file."""
    project = configuration.project
    try:
        if any(_hash((project / name).read_bytes()) != digest for name, digest in files.items()):
            return False
    except OSError:
        return False
    known = {project / name for name in files}
    return all(path in known for entry in configuration.entries for path in (project / entry.out).rglob("*.py"))


def _memory(configuration: Configuration) -> Path:
    return configuration.project / STATE_FOLDER / f"{configuration.path.name}.json"


def _recall(configuration: Configuration) -> _Memory | None:
    try:
        document: dict[str, Any] = json.loads(_memory(configuration).read_text(encoding="utf-8"))
        packages = tuple(PackageFacts(**package) for package in document.pop("packages"))
        fields: dict[str, Any] = document | {"packages": packages, "warnings": tuple(map(_warning, document.pop("warnings")))}
        return _Memory(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _remember(configuration: Configuration, memory: _Memory) -> None:
    """Write it whole or not at all. A folder that cannot be written to only means that the next run compiles."""
    with contextlib.suppress(OSError):
        make_state_folder(configuration.project)
        path = _memory(configuration)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(json.dumps(asdict(memory)), encoding="utf-8")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
