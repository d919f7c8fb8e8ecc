"""The generated folders on disk: how they differ from the result of a compilation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.pipeline import Compilation
from sqlwright.project.output import refuse_foreign_files
from sqlwright.render.header import is_generated
from sqlwright.render.syntax import check_syntax


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that differs from the generated one.

    `before` is None if the file is missing; `after` is None if it is orphaned, that is, no longer generated.
    """

    path: Path
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        """One word: missing, orphaned or changed."""
        return "missing" if self.before is None else "orphaned" if self.after is None else "changed"

    def diff(self, name: str) -> str:
        """Return the unified diff from the file on disk to the generated one; `name` is shown for the path."""
        old = "/dev/null" if self.before is None else f"{name} (on disk)"
        new = "/dev/null" if self.after is None else f"{name} (generated)"
        before, after = (self.before or "").splitlines(keepends=True), (self.after or "").splitlines(keepends=True)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in unified_diff(before, after, old, new))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences ordered by path, the number of files that are up to date, and all generated files of each package's folder."""

    differences: tuple[Difference, ...]
    unchanged: int
    folders: Mapping[Path, frozenset[Path]]


def compare(project: Path, compilations: Iterable[Compilation]) -> Comparison:
    """Compare what is on disk with what was compiled.

    Raises:
        CompileError: a file that sqlwright did not write is in the place of a generated file or its folder.
        AssertionError: a file to be written is not valid Python, which is a bug in the compiler.
    """
    compilations = tuple(compilations)
    _refuse(project, compilations)
    expected = {project / c.out / file.path: file for c in compilations for file in c.files}
    differences: list[Difference] = []
    for path, file in expected.items():
        if (before := _read(path)) is None or not _same(before, file.text):
            check_syntax(file)
            differences.append(Difference(path, before, file.text))
    unchanged = len(expected) - len(differences)
    for out in {project / c.out for c in compilations}:
        found = [(path, _read(path)) for path in out.rglob("*.py") if path not in expected]
        differences += [Difference(path, text, None) for path, text in found if text is not None and is_generated(text)]
    ordered = sorted({difference.path: difference for difference in differences}.values(), key=lambda d: d.path)
    # A folder that is a link is changed at its target.
    folders = {(project / c.out): frozenset(project / c.out / file.path for file in c.files) for c in compilations}
    return Comparison(tuple(ordered), unchanged, folders)


def _refuse(project: Path, compilations: tuple[Compilation, ...]) -> None:
    found: list[Diagnostic] = []
    for compilation in compilations:
        out = Path(compilation.out)
        found += [
            Diagnostic(
                Code.OUTPUT_BLOCKED,
                f"{path.as_posix()} is a file, but the generated package needs a folder there",
                help="move the file elsewhere, or change `out` in sqlc.yaml.",
            )
            for path in (out, *out.parents)
            if (project / path).exists() and not (project / path).is_dir()
        ]
        try:
            refuse_foreign_files(project / compilation.out, compilation.files)
        except CompileError as error:
            found += [_relative(diagnostic, project) for diagnostic in error.diagnostics]
        paths = [Path(compilation.out, file.path) for file in compilation.files]
        found += [
            Diagnostic(
                Code.OUTPUT_BLOCKED,
                f"{path.as_posix()} is a folder, but a generated file goes there",
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
    return Diagnostic(diagnostic.code, diagnostic.message.removeprefix(prefix), place, help=diagnostic.help)


def _same(before: str, after: str) -> bool:
    # Git may check files out with the platform's line endings.
    return before.replace("\r\n", "\n") == after


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError:
        return None
