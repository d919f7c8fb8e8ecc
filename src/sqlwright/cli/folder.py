"""The generated folders on disk: how they differ from what a compilation made, and how they become it, all or nothing."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from sqlwright.diagnostics import CompileError, Diagnostic, Place
from sqlwright.output import refuse_foreign_files
from sqlwright.pipeline import Compilation
from sqlwright.render.header import is_generated


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not as generated.

    `before` is None for one that is missing, `after` is None for an orphan, which nothing generates any more.
    """

    path: Path
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        """One word: missing, orphaned or changed."""
        return "missing" if self.before is None else "orphaned" if self.after is None else "changed"

    def diff(self, name: str) -> str:
        """Give the unified diff from the file on disk to the generated one; `name` is shown for the path."""
        old = "/dev/null" if self.before is None else f"{name} (on disk)"
        new = "/dev/null" if self.after is None else f"{name} (generated)"
        before, after = (self.before or "").splitlines(keepends=True), (self.after or "").splitlines(keepends=True)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in unified_diff(before, after, old, new))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences in order of path, and how many files are as generated."""

    differences: tuple[Difference, ...]
    unchanged: int


def compare(project: Path, compilations: Iterable[Compilation]) -> Comparison:
    """Compare what is on disk with what was compiled.

    Raises:
        CompileError: a file that sqlwright did not write stands where a generated one would go.
    """
    compilations = tuple(compilations)
    _refuse(project, compilations)
    expected = {project / c.out / file.path: file.text for c in compilations for file in c.files}
    differences = [
        Difference(path, before, after) for path, after in expected.items() if (before := _read(path)) is None or not _same(before, after)
    ]
    unchanged = len(expected) - len(differences)
    for out in {project / c.out for c in compilations}:
        found = [(path, _read(path)) for path in out.rglob("*.py") if path not in expected]
        differences += [Difference(path, text, None) for path, text in found if text is not None and is_generated(text)]
    ordered = sorted({difference.path: difference for difference in differences}.values(), key=lambda d: d.path)
    return Comparison(tuple(ordered), unchanged)


def apply(differences: Iterable[Difference]) -> None:
    """Make the files on disk as generated; the new texts are all on disk before the first file is replaced.

    Raises:
        CompileError: a folder or file cannot be written; nothing has changed then.
    """
    differences = tuple(differences)
    # What undoes the staging, last thing first; a temporary file that has taken its place is not there any more.
    undo: list[Callable[[], None]] = []
    staged: list[tuple[Path, Path]] = []
    try:
        for difference in differences:
            if difference.after is not None:
                undo += [folder.rmdir for folder in _make_folders(difference.path.parent)]
                temporary = _stage(difference.path, difference.after)
                undo.append(temporary.unlink)
                staged.append((temporary, difference.path))
        for temporary, path in staged:
            temporary.replace(path)
        for orphan in (difference.path for difference in differences if difference.after is None):
            orphan.unlink()
            _remove_if_empty(orphan.parent)
    except OSError as error:
        for step in reversed(undo):
            with contextlib.suppress(OSError):
                step()
        raise CompileError([_unwritable(error)]) from error


def _refuse(project: Path, compilations: tuple[Compilation, ...]) -> None:
    found: list[Diagnostic] = []
    for compilation in compilations:
        try:
            refuse_foreign_files(project / compilation.out, compilation.files)
        except CompileError as error:
            found += [_relative(diagnostic, project) for diagnostic in error.diagnostics]
        paths = [Path(compilation.out, file.path) for file in compilation.files]
        found += [
            Diagnostic(
                f"{path.as_posix()} is a folder, and a generated file goes there",
                help="move the folder elsewhere, or change `out` in sqlc.yaml.",
            )
            for path in paths
            if (project / path).is_dir()
        ]
    if found:
        raise CompileError(found)


def _relative(diagnostic: Diagnostic, project: Path) -> Diagnostic:
    prefix = f"{project}{os.sep}"
    place = diagnostic.place and Place(diagnostic.place.file.removeprefix(prefix))
    return Diagnostic(diagnostic.message.removeprefix(prefix), place, help=diagnostic.help)


def _same(before: str, after: str) -> bool:
    # Git may check files out with the line ends of the machine.
    return before.replace("\r\n", "\n") == after


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError:
        return None


def _make_folders(folder: Path) -> list[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return list(reversed(missing))


def _stage(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    temporary = Path(name)
    # mkstemp is for secrets; a source file has the mode that the user's umask gives it.
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
    return temporary


def _remove_if_empty(folder: Path) -> None:
    cache = folder / "__pycache__"
    if {path.name for path in folder.iterdir()} <= {"__pycache__"}:
        for compiled in cache.glob("*.pyc"):
            compiled.unlink()
        with contextlib.suppress(OSError):
            if cache.exists():
                cache.rmdir()
            folder.rmdir()


def _unwritable(error: OSError) -> Diagnostic:
    return Diagnostic(
        f"cannot write {error.filename2 or error.filename}: {error.strerror}",
        help="make the folder writable, or change `out` in sqlc.yaml.",
    )
