"""The program on a project: in this process, or in a separate one where a terminal, a signal or the end of a process is tested."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from typer.testing import CliRunner

from sqlwright.cli.application import app
from tests.support.sqlc import Recordings

COMMAND = (sys.executable, "-c", "from sqlwright.cli import app; app(prog_name='sqlwright')")
_UNSET = ("DATABASE_URL", "SQLWRIGHT_DATABASE_URL", "DBMATE_MIGRATIONS_DIR", "FORCE_COLOR", "NO_COLOR", "COLUMNS")


@dataclass(frozen=True)
class Run:
    """A finished run of the program."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The messages of the errors, in the order of the report."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


# Takes arguments, and variables of the environment by name.
Sqlwright: TypeAlias = Callable[..., Run]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with these variables, without what would point the program elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in _UNSET} | {"COLUMNS": "120"} | dict(environ)


def run_process(folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Run:
    """Run the program in a folder as users run it, with sqlc itself."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(environ),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def run_here(folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str], recordings: Recordings | None = None) -> Run:
    """Run the program in a folder in this process, with recorded answers of sqlc where there are recordings."""
    wanted = environment(environ)
    changed: dict[str, str | None] = {**dict.fromkeys(os.environ.keys() - wanted.keys()), **wanted}
    with contextlib.chdir(folder), recordings.installed() if recordings else contextlib.nullcontext():
        result = CliRunner().invoke(app, arguments, prog_name="sqlwright", env=changed, catch_exceptions=False)
    return Run(result.exit_code, result.stdout, result.stderr)


def tree(folder: Path) -> dict[str, str]:
    """Return the files under a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}
