"""sqlc's answers, recorded by what it was asked: a test that is not about sqlc does not wait for it to start.

sqlc needs more than a second to start and a few hundredths of one for each block, so the projects that are known beforehand, of whatever
test module, are put before one run of it. Every answer comes from the real sqlc, in the same test session; another configuration or
another byte in a file is another question.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import re
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, TypeAlias, cast

import pytest

from sqlwright.project import compilation
from sqlwright.project.configuration import Configuration, Entry, capturing, read_configuration
from sqlwright.project.programs import find_sqlc
from sqlwright.project.sqlc import REQUESTS, STDERR, Run, reading
from sqlwright.sql.sources import expand_paths

_NUMBER = re.compile(rb'("out": ?)"(\d+)"')
# Go's collector is off, as in a user's run; the limit is for a run over a hundred blocks. sqlc prepares its parser, which takes it a
# second, for each block that it reads at the same time: here one at a time.
LIMITS = {"GOGC": "off", "GOMEMLIMIT": "2GiB", "GOMAXPROCS": "1"}

# Writes projects into a folder, or none, and returns the configurations of those that are to be read.
Write: TypeAlias = Callable[[Path], Iterable[Path]]
_DECLARED: list[Write] = []


def declare(write: Write) -> None:
    """Declare projects, before the first test begins: sqlc reads all that are declared in one run."""
    _DECLARED.append(write)


@dataclass(frozen=True)
class _Recorded:
    """What sqlc made: its requests, exit code and complaints."""

    requests: tuple[bytes, ...]
    code: int
    stderr: str


@dataclass(frozen=True)
class _Ended:
    """Stands for the process of a sqlc that has ended."""

    returncode: int

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002 - it has ended
        return self.returncode


class Recordings:
    """Answers of sqlc in a folder that all workers of a test session share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder

    @contextmanager
    def installed(self) -> Generator[None]:
        """Let the program take recorded answers inside the block; what is not recorded yet is asked and recorded."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compilation, "reading", self.reading)
            yield

    @contextmanager
    def reading(self, configuration: Configuration, environ: Mapping[str, str]) -> Generator[Run]:
        """Stand for the program's own `reading`, which runs sqlc."""
        # sqlc has switches in its environment.
        path = None if any(name.startswith("SQLC") for name in environ) else self._path(configuration)
        if path is None:
            with reading(configuration, environ) as run:
                yield run
            return
        if not path.exists():
            with reading(configuration, environ) as run:
                answer = _answer(run)
                _store(path, _Recorded(answer.requests, answer.code, _without_paths(answer.stderr, run.folder, configuration)))
        with _replayed(path, configuration) as run:
            yield run

    def record_declared(self) -> None:
        """Ask sqlc once for all projects that are declared, in the first worker that gets here."""
        with self._locked(), tempfile.TemporaryDirectory(prefix="sqlwright-declared-") as temporary:
            done = self.folder / "done"
            if not done.exists():
                folders = ((write, Path(temporary) / str(number)) for number, write in enumerate(_DECLARED))
                self._record(read_configuration(path) for write, folder in folders for path in write(folder))
                done.touch()

    def record(self, configurations: Iterable[Configuration]) -> None:
        """Ask sqlc once for all configurations that have no recorded answer yet."""
        with self._locked():
            self._record(configurations)

    @contextmanager
    def _locked(self) -> Generator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _record(self, configurations: Iterable[Configuration]) -> None:
        groups: dict[str, list[tuple[Path, Configuration]]] = {}
        for configuration in configurations:
            path = self._path(configuration)
            if path and not path.exists():
                rest = {key: value for key, value in configuration.document.items() if key != "sql"}
                groups.setdefault(json.dumps(rest, sort_keys=True), []).append((path, configuration))
        for asked in groups.values():
            if len(asked) > 1:
                _record_together(asked)

    def _path(self, configuration: Configuration) -> Path | None:
        """The file of the answer, None where the question is not in files alone or cannot be read."""
        if configuration.reads_a_database:
            return None
        hasher = hashlib.sha256(str(find_sqlc(os.environ)).encode())
        project = configuration.project
        hasher.update(capturing(configuration, project, Path("plugin"), "").encode())
        try:
            for path in dict.fromkeys(path for entry in configuration.entries for _, paths in entry.paths for path in paths):
                for file in expand_paths(project, (path,)):
                    content = hashlib.sha256((project / file).read_bytes()).hexdigest()
                    hasher.update(f"\0{os.path.relpath(project / file, project)}\0{content}".encode())
        except (OSError, UnicodeEncodeError):
            return None
        return self.folder / hasher.hexdigest()


def _record_together(asked: list[tuple[Path, Configuration]]) -> None:
    """Run sqlc once for all of them, and record the answers that can be distinguished."""
    blocks: list[Any] = []
    entries: list[Entry] = []
    owners: list[tuple[Configuration, int]] = []
    for _, configuration in asked:
        project = configuration.project.resolve()
        blocks += ({**block, **_absolute(project, block)} for block in configuration.document["sql"])
        entries += configuration.entries
        owners += ((configuration, number) for number in range(len(configuration.entries)))
    first = asked[0][1]
    together = Configuration(first.path, tuple(entries), {**first.document, "sql": blocks})
    with reading(together, os.environ | LIMITS) as run:
        answer = _answer(run)
        folder = run.folder
    requests: dict[Path, list[bytes]] = {}
    for request in answer.requests:
        number = _NUMBER.search(request)
        assert number
        configuration, own_number = owners[int(number[2])]
        requests.setdefault(configuration.path, []).append(_NUMBER.sub(rb'\1"%d"' % own_number, request, count=1))
    for path, configuration in asked:
        found = tuple(requests.get(configuration.path, ()))
        stderr = _complaints_about(configuration, answer.stderr, folder)
        if bool(stderr) != (len(found) == len(configuration.entries)):
            _store(path, _Recorded(found, answer.code if stderr else 0, _without_paths(stderr, folder, configuration)))


def _absolute(project: Path, block: dict[str, Any]) -> dict[str, list[str]]:
    given = {key: block[key] for key in ("schema", "queries") if key in block}
    return {key: [str(project / path) for path in ([value] if isinstance(value, str) else value)] for key, value in given.items()}


def _answer(run: Run) -> _Recorded:
    """Wait for sqlc's end and return all that it has made."""
    code = run.process.wait()
    requests = tuple(path.read_bytes() for path in sorted((run.folder / REQUESTS).iterdir()))
    return _Recorded(requests, code, (run.folder / STDERR).read_text(encoding="utf-8", errors="replace"))


def _complaints_about(configuration: Configuration, stderr: str, folder: Path) -> str:
    """Return the lines about the configuration's files, after the line that sqlc writes above those of a block."""
    start = os.path.relpath(configuration.project.resolve(), folder) + os.sep
    lines = stderr.splitlines(keepends=True)
    found = [line for line in lines if line.startswith(start)]
    heading = next((line for line in lines if line.startswith("# ")), "")
    return "".join([heading, *found]) if found else ""


def _without_paths(stderr: str, folder: Path, configuration: Configuration) -> str:
    project = configuration.project.resolve()
    return (
        stderr.replace(os.path.relpath(project, folder), "<relative>").replace(str(folder), "<folder>").replace(str(project), "<project>")
    )


@contextmanager
def _replayed(path: Path, configuration: Configuration) -> Generator[Run]:
    recorded: _Recorded = pickle.loads(zlib.decompress(path.read_bytes()))  # noqa: S301 - written by this session
    project = configuration.project.resolve()
    with tempfile.TemporaryDirectory(prefix="sqlwright-") as temporary:
        folder = Path(temporary).resolve()
        (folder / REQUESTS).mkdir()
        for number, request in enumerate(recorded.requests):
            (folder / REQUESTS / str(number)).write_bytes(request)
        stderr = recorded.stderr.replace("<relative>", os.path.relpath(project, folder)).replace("<project>", str(project))
        (folder / STDERR).write_text(stderr.replace("<folder>", str(folder)), encoding="utf-8")
        yield Run(cast("Popen[bytes]", _Ended(recorded.code)), find_sqlc(os.environ), configuration, folder)


def _store(path: Path, recorded: _Recorded) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(zlib.compress(pickle.dumps(recorded), 1))
    unfinished.replace(path)
