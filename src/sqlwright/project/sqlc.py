"""Run sqlc to capture its requests to our plugin.

sqlc takes a second, so it is started before importing anything that only its answer needs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.project.configuration import Configuration, Entry, capturing
from sqlwright.project.programs import behind_launcher, find_plugin, find_sqlc, refuse_another_sqlc

if TYPE_CHECKING:
    from sqlwright.resolve.protocol import GenerateRequest

CAPTURE_VARIABLE = "SQLWRIGHT_CAPTURE"

_REQUESTS = "requests"
_UNFINISHED = ".part"
_CATCHER = f"""\
#!/bin/sh
PATH="$PATH:/usr/bin:/bin"
cat >"${CAPTURE_VARIABLE}/$${_UNFINISHED}" && mv "${CAPTURE_VARIABLE}/$${_UNFINISHED}" "${CAPTURE_VARIABLE}/$$" && echo '{{}}'
"""
_CRASH = (
    "it does so where a query calls a function that has OUT parameters and no RETURNS, often silently: add `RETURNS record` to the "
    "function, which means the same."
)
_COLLECTOR = {"GOGC": "off", "GOMEMLIMIT": "512MiB"}


@dataclass(frozen=True, slots=True)
class Captured:
    """sqlc's output: the requests for the entries it could read, and its errors about the others."""

    requests: tuple[tuple[Entry, GenerateRequest], ...]
    complaints: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished run of sqlc: the requests as it wrote them, and its errors as text. `folder` is where it ran."""

    configuration: Configuration
    sqlc: Path
    folder: Path
    requests: tuple[bytes, ...]
    failed: bool
    stderr: str

    def captured(self) -> Captured:
        """Parse the requests, with the paths as the user wrote them, and the errors.

        Raises:
            CompileError: sqlc is of another version, or does not run.
        """
        requests: tuple[tuple[Entry, GenerateRequest], ...] = ()
        try:
            requests = _decoded(self.configuration, self.requests)
        finally:
            # Only now, since it is rarely necessary: a request carries its sender's version.
            if self.failed or len(requests) < len(self.configuration.entries):
                refuse_another_sqlc(self.sqlc)
        complaints: tuple[Diagnostic, ...] = ()
        panic = next((line for line in self.stderr.splitlines() if line.startswith("panic: ")), "")
        if self.failed and not panic:
            from sqlwright.project.complaints import read_complaints

            complaints = read_complaints(self.stderr, self.folder, self.configuration)
        if not complaints and len(requests) < len(self.configuration.entries):
            # It may also exit successfully: its main goroutine does not wait for the one that crashes.
            complaints = (Diagnostic("sqlc crashed", help=f"{_CRASH} {panic}".strip()),)
        return Captured(requests, complaints)


@contextmanager
def reading(configuration: Configuration, environ: Mapping[str, str]) -> Generator[Callable[[], Answer]]:
    """Run sqlc over a configuration while the block does something else; the function that is yielded waits for it.

    Raises:
        CompileError: sqlc or the plugin is missing.
    """
    sqlc, plugin = find_sqlc(environ), find_plugin(environ)
    with tempfile.TemporaryDirectory(prefix="sqlwright-") as temporary:
        folder = Path(temporary).resolve()
        requests = folder / _REQUESTS
        requests.mkdir()
        # Named as the user's, since sqlc's errors about the configuration mention the name.
        config = folder / configuration.path.name
        config.write_text(capturing(configuration, folder, _catcher(folder, plugin), CAPTURE_VARIABLE), encoding="utf-8")
        try:
            process = subprocess.Popen(
                [str(behind_launcher(sqlc)), "generate", "-f", str(config)],
                env={**environ, **_thrift(environ), CAPTURE_VARIABLE: str(requests)},
                cwd=configuration.project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError:
            refuse_another_sqlc(sqlc)
            raise
        with process:
            try:
                yield lambda: _answer(process, sqlc, configuration, folder)
            finally:
                process.kill()


def _catcher(folder: Path, plugin: Path) -> Path:
    """A plugin that stores its request: a shell script, which starts instantly; our own where that cannot be run."""
    catcher = folder / "catcher"
    catcher.write_text(_CATCHER, encoding="ascii")
    catcher.chmod(0o700)
    return catcher if os.access(catcher, os.X_OK) else plugin


def _thrift(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Settings of Go's collector: sqlc runs for seconds, and collecting before it uses half a gigabyte costs a tenth of them."""
    return {} if environ.keys() & _COLLECTOR.keys() else _COLLECTOR


def _answer(process: subprocess.Popen[str], sqlc: Path, configuration: Configuration, folder: Path) -> Answer:
    _, stderr = process.communicate()
    stored = tuple((folder / _REQUESTS).iterdir())
    if any(path.suffix == _UNFINISHED for path in stored):
        raise CompileError(
            [Diagnostic(f"cannot store sqlc's requests in {folder.parent}", help="free some disk space, or raise the limit on files.")]
        )
    requests = tuple(path.read_bytes() for path in stored)
    return Answer(configuration, sqlc, folder, requests, process.returncode != 0, stderr)


def _decoded(configuration: Configuration, requests: tuple[bytes, ...]) -> tuple[tuple[Entry, GenerateRequest], ...]:
    from sqlwright.resolve import protocol

    found: dict[int, GenerateRequest] = {}
    for data in requests:
        request = protocol.decode(data)
        number = int(request.settings.codegen.out)
        entry = configuration.entries[number]
        codegen = request.settings.codegen.model_copy(update={"out": entry.out})
        settings = request.settings.model_copy(update={"schema_": entry.schema, "queries": entry.queries, "codegen": codegen})
        found[number] = request.model_copy(update={"settings": settings})
    return tuple((entry, found[number]) for number, entry in enumerate(configuration.entries) if number in found)
