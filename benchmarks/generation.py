"""Generation: `sqlwright` against `sqlc generate` with a plugin that does nothing; proofs; imports of the generated package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.large_project import change_one, generated, write_blocks, write_project
from benchmarks.names import (
    ANEW,
    BARE,
    BEYOND,
    BLOCKS,
    CHANGED,
    CHECK,
    CHECK_UNCHANGED,
    IMPORT,
    MANY_BLOCKS,
    PROOFS,
    SIZES,
    UNCHANGED,
    size,
)
from benchmarks.place import Place
from benchmarks.results import Measurement
from sqlwright.project.compilation import compile_project
from sqlwright.project.configuration import read_configuration

# Numbers of queries and of counted rounds: a round of the largest takes most of a minute.
_ROUNDS = dict(zip(SIZES, (5, 3, 5, 1), strict=True))
_SIZE_OF_PROOFS = 1000
_IMPORTS = """\
import importlib, pathlib, sys, time
import psycopg
sys.path.insert(0, str(pathlib.Path.cwd()))
names = sorted(path.stem for path in pathlib.Path("{package}").glob("*.py"))
started = time.perf_counter()
for name in names:
    importlib.import_module("{package}" if name == "__init__" else f"{package}.{{name}}")
print(time.perf_counter() - started)
"""


def measurements(place: Place, rounds: int, wanted: Callable[[str], bool]) -> Iterator[Measurement]:
    """Measure whole programs; `rounds` is an upper limit here, since each round takes seconds."""
    # As on a user's machine, where Python caches compiled modules.
    environment = {name: value for name, value in place.environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for queries, enough in _ROUNDS.items():
        if wanted(size(queries)):
            project = _project(place.folder, queries)
            yield from _programs(project, environment, size(queries), min(rounds, enough))
    if wanted(MANY_BLOCKS):
        project = place.folder / "generation_blocks"
        if not project.exists():
            write_blocks(project, BLOCKS)
        yield from _programs(project, environment, MANY_BLOCKS, min(rounds, 3))
    if wanted(PROOFS):
        yield from _proofs(_project(place.folder, _SIZE_OF_PROOFS), environment, min(rounds, 3))
    if wanted(IMPORT):
        yield _imports(_project(place.folder, _SIZE_OF_PROOFS), environment, min(rounds, 10))


def _project(folder: Path, queries: int) -> Path:
    project = folder / f"generation_{queries}"
    if not project.exists():
        write_project(project, queries)
    return project


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished program: its seconds from start to exit, and the peak resident memory of it or a program that it ran, in KiB."""

    seconds: float
    peak_memory: int


def _programs(project: Path, environment: Mapping[str, str], case: str, rounds: int) -> Iterator[Measurement]:
    def ready() -> None:
        pass

    def changed() -> None:
        change_one(project, time.monotonic_ns())

    def anew() -> None:
        shutil.rmtree(generated(project), ignore_errors=True)

    def forgotten() -> None:
        (project / ".sqlwright" / "sqlc.yaml.json").unlink(missing_ok=True)

    contenders: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
        BARE: (ready, ("sqlc", "generate", "-f", "bare.yaml")),
        ANEW: (anew, ("sqlwright", "generate")),
        UNCHANGED: (ready, ("sqlwright", "generate")),
        CHANGED: (changed, ("sqlwright", "generate")),
        CHECK: (forgotten, ("sqlwright", "check")),
        CHECK_UNCHANGED: (ready, ("sqlwright", "check")),
    }
    runs: dict[str, list[_Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (before, command) in contenders.items():
            before()
            runs[name].append(_run(command, project, environment))
    for name, found in runs.items():
        yield Measurement("generation", case, name, tuple(run.seconds for run in found), max(run.peak_memory for run in found))


def _run(command: tuple[str, ...], project: Path, environment: Mapping[str, str]) -> _Run:
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    # KiB on Linux, bytes on macOS.
    return _Run(seconds, usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1))


def _proofs(project: Path, environment: Mapping[str, str], rounds: int) -> Iterator[Measurement]:
    """Measure proofs on a running server: of every query, and of one changed query while the others are recorded."""
    if not generated(project).exists():
        _run(("sqlwright", "generate"), project, environment)
    every: list[float] = []
    one: list[float] = []
    for _ in range(rounds):
        every.append(_seconds_of_proofs(project, environment, anew=True))
        change_one(project, time.monotonic_ns())
        one.append(_seconds_of_proofs(project, environment, anew=False))
    yield Measurement("generation", PROOFS, "all of them anew", tuple(every))
    yield Measurement("generation", PROOFS, "one that has changed", tuple(one))


def _seconds_of_proofs(project: Path, environment: Mapping[str, str], *, anew: bool) -> float:
    times: list[float] = []

    def report(_what: str, _done: int, of: int) -> None:
        if of:
            times.append(time.perf_counter())

    compile_project(read_configuration(project / "sqlc.yaml"), environment, anew=anew, report=report)
    return times[-1] - times[0]


def _imports(project: Path, environment: Mapping[str, str], rounds: int) -> Measurement:
    if not generated(project).exists():
        _run(("sqlwright", "generate"), project, environment)
    command = [sys.executable, "-c", _IMPORTS.format(package=generated(project).name)]
    seconds: list[float] = []
    # The first one compiles the modules.
    for _ in range(rounds + 1):
        done = subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, text=True)
        seconds.append(float(done.stdout))
    return Measurement("generation", IMPORT, BEYOND, tuple(seconds[1:]))
