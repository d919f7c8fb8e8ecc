"""Write the generated folders: each becomes the new package or stays the old one, whatever stops the run.

The new files are created in a sibling folder. If the package's folder contains nothing else, the two folders are exchanged in one
file-system operation. If it also contains files of the user's, or the file system cannot do that, the files are replaced one by one;
signals are deferred meanwhile, and only a kill within these milliseconds leaves some files old and some new. The next run cleans up and
writes the rest.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, unusable
from sqlwright.project.folder import Comparison, Difference
from sqlwright.project.interruption import uninterrupted

_CACHE = "__pycache__"
_CWD = {"linux": -100, "darwin": -2}.get(sys.platform, 0)
_EXCHANGE = 2


@contextmanager
def alone(project: Path) -> Generator[None]:
    """Prevent other runs from writing to this project during the block."""
    # The folder itself is locked, which leaves no lock file behind.
    lock = os.open(project, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def write(comparison: Comparison) -> None:
    """Make the folders on disk equal to the generated ones, and remove leftovers of killed runs.

    Raises:
        CompileError: a folder or file cannot be written; nothing has changed then.
    """
    staged: list[_Staged] = []
    made: list[Path] = []
    try:
        for out, files in comparison.folders.items():
            real = out.resolve()
            _clear(real)
            differences = tuple(found for found in comparison.differences if found.path in files or _is_orphan(found, out))
            if differences:
                made += _make_folders(real.parent)
                # A link's target is changed, not the link.
                moved = tuple(replace(found, path=real / found.path.relative_to(out)) for found in differences)
                staged.append(_stage(real, frozenset(real / path.relative_to(out) for path in files), moved))
        with uninterrupted():
            for each in staged:
                each.commit()
    except OSError as error:
        raise CompileError([_unwritable(error)]) from error
    finally:
        for each in staged:
            shutil.rmtree(each.folder, ignore_errors=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def _unwritable(error: OSError) -> Diagnostic:
    """Return the diagnostic for a file or folder that cannot be written."""
    path = error.filename2 or error.filename
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return Diagnostic(
            Code.OUTPUT_BLOCKED,
            f"{path} is a file, but the generated package needs a folder there",
            help="move the file elsewhere, or change `out` in sqlc.yaml.",
        )
    found = unusable(error)
    return replace(found, help=found.help or "make the folder writable, or change `out` in sqlc.yaml.")


def _is_orphan(found: Difference, out: Path) -> bool:
    return found.after is None and out in found.path.parents


@dataclass(frozen=True, slots=True)
class _Staged:
    """The change to a package's folder; `folder` has the new files, and with `whole` all the others too."""

    out: Path
    folder: Path
    files: frozenset[Path]
    differences: tuple[Difference, ...]
    whole: bool

    def commit(self) -> None:
        if not self.out.exists():
            self.folder.rename(self.out)
        elif self.whole and len(self.differences) > 1 and _exchange(self.folder, self.out):
            self._keep_what_came_meanwhile()
        else:
            self._replace()

    def _keep_what_came_meanwhile(self) -> None:
        for path in _others(self.folder, {self.folder / found.relative_to(self.out) for found in self._known()}):
            path.replace(self.out / path.relative_to(self.folder))

    def _known(self) -> set[Path]:
        return {*self.files, *(found.path for found in self.differences)}

    def _replace(self) -> None:
        for difference in self.differences:
            if difference.after is not None:
                difference.path.parent.mkdir(parents=True, exist_ok=True)
                (self.folder / difference.path.relative_to(self.out)).replace(difference.path)
        for orphan in (difference.path for difference in self.differences if difference.after is None):
            orphan.unlink()
            _remove_if_empty(orphan.parent)


def _stage(out: Path, files: frozenset[Path], differences: tuple[Difference, ...]) -> _Staged:
    folder = _staging_folder(out)
    whole = folder.parent == out.parent and not _others(out, {*files, *(found.path for found in differences)})
    try:
        for difference in differences:
            if difference.after is not None:
                path = folder / difference.path.relative_to(out)
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, difference.after)
                if difference.path.exists():
                    path.chmod(difference.path.stat().st_mode & 0o777)
        if whole and out.exists():
            for path in files - {difference.path for difference in differences}:
                copy = folder / path.relative_to(out)
                copy.parent.mkdir(parents=True, exist_ok=True)
                # The same file, so that its time stays and no tool re-reads it.
                os.link(path, copy)
            shutil.copymode(out, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Staged(out, folder, files, differences, whole)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        # A failed write does not name its file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _staging_folder(out: Path) -> Path:
    """Create the folder for new files: next to the package's, or inside it if its parent is another file system or not writable."""
    beside = _beside(out)
    if not out.is_mount():
        try:
            beside.mkdir()
        except PermissionError:
            if not out.is_dir():
                raise
        else:
            return beside
    inside = out / beside.name
    inside.mkdir()
    return inside


def _clear(out: Path) -> None:
    """Remove what a killed run left: under the lock, no other run uses it."""
    for folder in (_beside(out), out / _beside(out).name):
        shutil.rmtree(folder, ignore_errors=True)


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.new")


def _others(folder: Path, known: Iterable[Path]) -> list[Path]:
    """The files in a folder that are not `known`, except for Python's compiled files."""
    known = set(known)
    return [
        path for path in folder.rglob("*") if path not in known and path.parent.name != _CACHE and (path.is_symlink() or not path.is_dir())
    ]


def _make_folders(folder: Path) -> list[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return list(reversed(missing))


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return False if the operating system or the file system cannot."""
    # CPython has no function for it. It is renameat2 on Linux and renameatx_np on macOS, with the same arguments.
    name = "renameatx_np" if sys.platform == "darwin" else "renameat2"
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    return function is not None and function(_CWD, os.fsencode(one), _CWD, os.fsencode(other), ctypes.c_uint(_EXCHANGE)) == 0


def _remove_if_empty(folder: Path) -> None:
    if {path.name for path in folder.iterdir()} <= {_CACHE}:
        with suppress(OSError):
            shutil.rmtree(folder / _CACHE, ignore_errors=True)
            folder.rmdir()
