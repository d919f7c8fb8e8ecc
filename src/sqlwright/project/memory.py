"""The memory of the last run: what was generated, and from what.

It is kept in `.sqlwright`, with the hash of everything the files were generated from: this compiler, sqlc, the configuration, the schema
and the queries. If none of that has changed, and every file is as it was written, there is nothing to run.
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
from typing import Any

import sqlwright
from sqlwright.diagnostics import Code, Diagnostic, Place, Severity
from sqlwright.postgres.embedded import STATE_FOLDER, find_binaries, make_state_folder
from sqlwright.postgres.server import URL_VARIABLE
from sqlwright.project.configuration import Configuration
from sqlwright.project.programs import behind_launcher, find_sqlc
from sqlwright.sql.sources import CONFIG_NAMES, expand_paths

# The output depends on these as well as on our own code; Python's version is in the hash too.
_PARTS = ("inflection", "pydantic")


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """A generated package: its folder, its number of queries, and of functions."""

    out: str
    queries: int
    functions: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The last run: the hash of its inputs, and that of each file it generated, by path relative to the project.

    `proven_on` names the server that proved every query anew; None if recorded proofs were reused.
    """

    made_from: str
    files: dict[str, str]
    packages: tuple[PackageFacts, ...]
    warnings: tuple[Diagnostic, ...]
    proven_on: str | None


def fingerprint(configuration: Configuration, environ: Mapping[str, str]) -> str | None:
    """Hash the inputs of the generated files; None if not all inputs are files, or one of them cannot be read.

    Raises:
        CompileError: sqlc is not installed.
    """
    if configuration.reads_a_database:
        return None
    hasher = hashlib.sha256()
    try:
        for name, content in _read(configuration, environ):
            hasher.update(f"{name}\0{file_hash(content)}\n".encode())
    except (OSError, UnicodeEncodeError):
        return None
    return hasher.hexdigest()


def server_name(environ: Mapping[str, str]) -> str | None:
    """Identify the embedded server by its program; None for another server, which may change without our noticing."""
    binaries = None if environ.get(URL_VARIABLE) else find_binaries()
    return _program(binaries / "postgres") if binaries else None


def recall(configuration: Configuration, made_from: str | None) -> Memory | None:
    """Return the last run if it had the same inputs, its files are as it wrote them, and their folders contain nothing else."""
    try:
        document: dict[str, Any] = json.loads(_file(configuration).read_text(encoding="utf-8"))
        packages = tuple(PackageFacts(**package) for package in document.pop("packages"))
        fields: dict[str, Any] = document | {"packages": packages, "warnings": tuple(map(_warning, document.pop("warnings")))}
        memory = Memory(**fields)
        valid = memory.made_from == made_from and _is_as_written(configuration, memory.files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return memory if valid else None


def remember(configuration: Configuration, memory: Memory) -> None:
    """Write the memory atomically. If the folder is not writable, the next run just compiles again."""
    with contextlib.suppress(OSError):
        make_state_folder(configuration.project)
        path = _file(configuration)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(json.dumps(asdict(memory)), encoding="utf-8")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def file_hash(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _read(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    yield "Python", sys.version.encode()
    yield "compiler", _compiler().encode()
    yield "sqlc", _program(behind_launcher(find_sqlc(environ))).encode()
    # sqlc has switches in the environment.
    yield "environment", repr(sorted((name, value) for name, value in environ.items() if name.startswith("SQLC"))).encode()
    project = configuration.project
    for name in sorted({configuration.path.name, *CONFIG_NAMES}):
        path = project / name
        yield name, path.read_bytes() if path.is_file() else b""
    for paths in dict.fromkeys(paths for entry in configuration.entries for paths in (entry.queries, entry.schema)):
        for path in expand_paths(project, paths):
            yield str(path), path.read_bytes()


@cache
def _compiler() -> str:
    """Every file of the compiler by name, size and time, since it may be under development."""
    return "\n".join(sorted(_files_of_compiler()))


def _files_of_compiler() -> Iterator[str]:
    for module in (sqlwright.__name__, *_PARTS):
        spec = find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        for path in folder.rglob("*.py") if module == sqlwright.__name__ else folder.glob("*.py"):
            yield _program(path)


def _program(path: Path) -> str:
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _is_as_written(configuration: Configuration, files: Mapping[str, str]) -> bool:
    """Whether the folders contain these files, each with the content of this hash, and no other Python file."""
    project = configuration.project
    if any(file_hash((project / name).read_bytes()) != digest for name, digest in files.items()):
        return False
    known = {project / name for name in files}
    return all(path in known for entry in configuration.entries for path in (project / entry.out).rglob("*.py"))


def _warning(document: dict[str, Any]) -> Diagnostic:
    place = document["place"]
    enums = {"code": Code(document["code"]), "severity": Severity(document["severity"])}
    fields: dict[str, Any] = document | enums | {"place": Place(**place) if place else None}
    return Diagnostic(**fields)


def _file(configuration: Configuration) -> Path:
    return configuration.project / STATE_FOLDER / f"{configuration.path.name}.json"
