"""The golden cases: a project in a folder, and what comes of it.

A case holds in `expected/` the files that no other case shows. `expected.same` names the rest, and the case that shows each. One case
shows a whole package.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.program import run_here, tree
from tests.support.sqlc import Recordings

CASES = Path(__file__).parents[1] / "golden" / "cases"
NAMES = sorted(case.name for case in CASES.iterdir())
OUT = "db"
_WHOLE = "clients_both"


@dataclass(frozen=True)
class Outcome:
    """What comes of a case: the exit code, what is said on stderr, and the files of the package by path."""

    code: int
    stderr: str
    files: dict[str, str]


def copy_project(name: str, folder: Path) -> Path:
    """Copy the project of a case, without what is expected of it."""
    return shutil.copytree(CASES / name, folder / name, ignore=shutil.ignore_patterns("expected*"))


def generate(name: str, folder: Path, server: str, recordings: Recordings) -> Outcome:
    """Compile a case in a copy."""
    project = copy_project(name, folder)
    done = run_here(folder, ("generate", "--config", str(project / "sqlc.yaml")), {"SQLWRIGHT_DATABASE_URL": server}, recordings)
    stderr = done.err.replace(f"{project}/", "").replace(str(project), ".")
    return Outcome(done.code, stderr, tree(project / OUT))


def expected_files(name: str) -> dict[str, Path]:
    """Return where the files of a case's package are, by their paths in it; none where the case is an error."""
    files = _own_files(name)
    same = CASES / name / "expected.same"
    for line in same.read_text(encoding="utf-8").splitlines() if same.exists() else ():
        path, shown_by = line.split()
        files[path] = CASES / shown_by / "expected" / path
    return files


def expected(name: str) -> Outcome:
    """Return what must come of a case."""
    stderr = CASES / name / "expected.stderr"
    return Outcome(
        1 if name.startswith("error_") else 0,
        stderr.read_text(encoding="utf-8") if stderr.exists() else "",
        {path: file.read_text(encoding="utf-8") for path, file in expected_files(name).items()},
    )


def rewrite(outcomes: Mapping[str, Outcome]) -> None:
    """Make outcomes of all cases the expectation. A file that several cases have stays with the case that shows it already."""
    before = {(path, file.read_text(encoding="utf-8")): name for name in reversed(NAMES) for path, file in _own_files(name).items()}
    having: dict[tuple[str, str], list[str]] = {}
    for name in sorted(outcomes):
        for file in outcomes[name].files.items():
            having.setdefault(file, []).append(name)
    shown_by = {file: min(names, key=lambda name: (name != _WHOLE, name != before.get(file))) for file, names in having.items()}
    for name, outcome in outcomes.items():
        case = CASES / name
        shutil.rmtree(case / "expected", ignore_errors=True)
        same = [f"{path} {shown_by[path, text]}\n" for path, text in sorted(outcome.files.items()) if shown_by[path, text] != name]
        texts = {f"expected/{path}": text for path, text in outcome.files.items() if shown_by[path, text] == name}
        for path, text in {**texts, "expected.same": "".join(same), "expected.stderr": outcome.stderr}.items():
            (case / path).unlink(missing_ok=True)
            if text or path in texts:
                (case / path).parent.mkdir(parents=True, exist_ok=True)
                (case / path).write_text(text, encoding="utf-8")


def _own_files(name: str) -> dict[str, Path]:
    folder = CASES / name / "expected"
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
