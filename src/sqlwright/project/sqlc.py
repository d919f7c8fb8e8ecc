"""Run sqlc to capture its requests to our plugin.

sqlc takes a second, so it is started before importing anything that only its answer needs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.project.configuration import Configuration, Entry, capturing
from sqlwright.project.programs import behind_launcher, find_plugin, find_sqlc, refuse_another_sqlc

if TYPE_CHECKING:
    from sqlwright.resolve.protocol import GenerateRequest

CAPTURE_VARIABLE = "SQLWRIGHT_CAPTURE"

REQUESTS = "requests"
STDERR = "stderr"
# Seconds between two checks for new requests.
_PATIENCE = 0.05
_UNFINISHED = ".part"
_CATCHER = f"""\
#!/bin/sh
PATH="$PATH:/usr/bin:/bin"
cat >"${CAPTURE_VARIABLE}/$${_UNFINISHED}" && mv "${CAPTURE_VARIABLE}/$${_UNFINISHED}" "${CAPTURE_VARIABLE}/$$" && echo '{{}}'
"""
_CRASH = (
    "two causes are known: a function that has OUT parameters and no RETURNS (add `RETURNS record`, which means the same), and a VALUES "
    "list as a subquery in an expression (write `SELECT` instead)."
)
_COLLECTOR = {"GOGC": "off", "GOMEMLIMIT": "512MiB"}


class Run:
    """A run of sqlc: its requests for our entries, as they arrive, and finally its errors.

    `folder` is where it runs; the requests have the paths as the user wrote them.
    """

    def __init__(self, process: subprocess.Popen[bytes], sqlc: Path, configuration: Configuration, folder: Path) -> None:
        self.process = process
        self._sqlc = sqlc
        self._configuration = configuration
        self.folder = folder
        self._seen: set[Path] = set()
        self._answered: set[int] = set()

    def requests(self) -> Iterator[tuple[Entry, GenerateRequest]]:
        """Yield each request as soon as sqlc has made it, until sqlc exits.

        Raises:
            CompileError: sqlc is of another version, or its requests cannot be stored.
        """
        running = True
        while running:
            try:
                self.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            else:
                running = False
            yield from self._arrived()
        if any((self.folder / REQUESTS).glob(f"*{_UNFINISHED}")):
            raise CompileError(
                [
                    Diagnostic(
                        Code.UNUSABLE_FILE,
                        f"cannot store sqlc's requests in {self.folder.parent}",
                        help="free some disk space, or raise the limit on files.",
                    )
                ]
            )

    @property
    def failed(self) -> bool:
        """Whether sqlc has reported an error, once all requests have been taken."""
        return self.process.returncode != 0

    def complaints(self) -> tuple[Diagnostic, ...]:
        """Return sqlc's errors about the entries that it could not read, once all requests have been taken.

        Raises:
            CompileError: sqlc is of another version, or does not run.
        """
        failed, complete = self.failed, len(self._answered) == len(self._configuration.entries)
        if not failed and complete:
            return ()
        # Only now, since it is rarely necessary: a request carries its sender's version.
        refuse_another_sqlc(self._sqlc)
        stderr = (self.folder / STDERR).read_text(encoding="utf-8", errors="replace")
        complaints: tuple[Diagnostic, ...] = ()
        panic = next((line for line in stderr.splitlines() if line.startswith("panic: ")), "")
        if failed and not panic:
            from sqlwright.project.complaints import read_complaints

            complaints = read_complaints(stderr, self.folder, self._configuration)
        if not complaints and not complete:
            # It may also exit successfully: its main goroutine does not wait for the one that crashes.
            complaints = (Diagnostic(Code.SQLC_CRASHED, "sqlc crashed", help=f"{_CRASH} {panic}".strip()),)
        return complaints

    def _arrived(self) -> Iterator[tuple[Entry, GenerateRequest]]:
        from sqlwright.resolve import protocol

        for path in sorted((self.folder / REQUESTS).iterdir()):
            if path in self._seen or path.suffix == _UNFINISHED:
                continue
            self._seen.add(path)
            try:
                request = protocol.decode(path.read_bytes())
            except CompileError:
                refuse_another_sqlc(self._sqlc)
                raise
            number = int(request.settings.codegen.out)
            entry = self._configuration.entries[number]
            codegen = request.settings.codegen.model_copy(update={"out": entry.out})
            settings = request.settings.model_copy(update={"schema_": entry.schema, "queries": entry.queries, "codegen": codegen})
            self._answered.add(number)
            yield entry, request.model_copy(update={"settings": settings})


@contextmanager
def reading(configuration: Configuration, environ: Mapping[str, str]) -> Generator[Run]:
    """Run sqlc over a configuration for the length of the block.

    Raises:
        CompileError: sqlc or the plugin is missing.
    """
    sqlc, plugin = find_sqlc(environ), find_plugin(environ)
    with tempfile.TemporaryDirectory(prefix="sqlwright-") as temporary:
        folder = Path(temporary).resolve()
        requests = folder / REQUESTS
        requests.mkdir()
        # Named as the user's, since sqlc's errors about the configuration mention the name.
        config = folder / configuration.path.name
        config.write_text(capturing(configuration, folder, _catcher(folder, plugin), CAPTURE_VARIABLE), encoding="utf-8")
        try:
            with (folder / STDERR).open("wb") as stderr:
                process = subprocess.Popen(
                    [str(behind_launcher(sqlc)), "generate", "-f", str(config)],
                    env={**environ, **_thrift(environ), CAPTURE_VARIABLE: str(requests)},
                    cwd=configuration.project,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                )
        except OSError:
            refuse_another_sqlc(sqlc)
            raise
        with process:
            try:
                yield Run(process, sqlc, configuration, folder)
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
