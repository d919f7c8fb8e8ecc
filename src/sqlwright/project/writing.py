"""Write the generated folders: each becomes the new package or stays the old one, whatever stops the run.

The new files are created in a sibling folder. If the package's folder contains nothing else, the two folders are exchanged in one
file-system operation. If it also contains files of the user's, or the file system cannot do that, the files are replaced one by one.
When one of the packages cannot be replaced, those before it are restored. Signals are deferred meanwhile, and only a kill within these
milliseconds leaves some files old and some new. The next run cleans up and writes the rest.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, unusable
from sqlwright.project.folder import Comparison, Difference
from sqlwright.project.interruption import uninterrupted

_CACHE = "__pycache__"
_KEPT = ".kept"
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
    changes = {
        out: tuple(found for found in comparison.differences if _belongs(found, out, files)) for out, files in comparison.folders.items()
    }
    _refuse_read_only(folder for out, found in changes.items() if found for folder in (out, *(each.path.parent for each in found)))
    staged: list[_Staged] = []
    made: list[Path] = []
    try:
        for out, differences in changes.items():
            real = out.resolve()
            _clear(real)
            if differences:
                made += _make_folders(real.parent)
                # A link's target is changed, not the link.
                moved = tuple(replace(found, path=real / found.path.relative_to(out)) for found in differences)
                files = frozenset(real / path.relative_to(out) for path in comparison.folders[out])
                staged.append(_stage(real, files, moved))
        with uninterrupted(), ExitStack() as undo:
            for each in staged:
                each.commit(undo)
            undo.pop_all()
    except OSError as error:
        raise CompileError([_unwritable(error)]) from error
    finally:
        for each in staged:
            _remove(each.folder)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def _unwritable(error: OSError) -> Diagnostic:
    """Return the diagnostic for a file or folder that cannot be written."""
    path = error.filename2 or error.filename
    if error.errno == errno.EEXIST and Path(path).is_dir():
        return Diagnostic(Code.OUTPUT_BLOCKED, f"{path} is left over from an earlier run and cannot be removed", help="remove that folder.")
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return Diagnostic(
            Code.OUTPUT_BLOCKED,
            f"{path} is a file, but the generated package needs a folder there",
            help="move the file elsewhere, or change `out` in sqlc.yaml.",
        )
    found = unusable(error)
    return replace(found, help=found.help or "make the folder writable, or change `out` in sqlc.yaml.")


def _refuse_read_only(folders: Iterable[Path]) -> None:
    """Check, before anything is replaced, that the existing ones of these folders are writable.

    Raises:
        CompileError: one error for each that is not.
    """
    effective = os.access in os.supports_effective_ids
    errors = [
        PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        for folder in dict.fromkeys(folders)
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
    ]
    if errors:
        raise CompileError(map(_unwritable, errors))


def _belongs(found: Difference, out: Path, files: frozenset[Path]) -> bool:
    """Whether a difference is one of a package's files, or orphaned in its folder."""
    return found.path in files or (found.after is None and out in found.path.parents)


@dataclass(frozen=True, slots=True)
class _Staged:
    """The change to a package's folder; `folder` has the new files, and with `whole` all the others too."""

    out: Path
    folder: Path
    files: frozenset[Path]
    differences: tuple[Difference, ...]
    whole: bool

    def commit(self, undo: ExitStack) -> None:
        """Replace the package; `undo` receives what restores the old one."""
        if not self.out.exists():
            self.folder.rename(self.out)
            undo.callback(self.out.rename, self.folder)
        elif self.whole and len(self.differences) > 1 and _exchange(self.folder, self.out):
            undo.callback(self._exchange_back)
            self._keep_what_came_meanwhile()
        else:
            self._replace(undo)

    def _exchange_back(self) -> None:
        if _exchange(self.folder, self.out):
            self._keep_what_came_meanwhile()

    def _keep_what_came_meanwhile(self) -> None:
        for path in _others(self.folder, {self.folder / found.relative_to(self.out) for found in self._known()}):
            path.replace(self.out / path.relative_to(self.folder))

    def _known(self) -> set[Path]:
        return {*self.files, *(found.path for found in self.differences)}

    def _replace(self, undo: ExitStack) -> None:
        for difference in self.differences:
            if difference.after is not None:
                for folder in _make_folders(difference.path.parent):
                    undo.callback(folder.rmdir)
                self._keep(difference.path, undo)
                (self.folder / difference.path.relative_to(self.out)).replace(difference.path)
        for orphan in (difference.path for difference in self.differences if difference.after is None):
            self._keep(orphan, undo)
            orphan.unlink()
            _remove_if_empty(orphan.parent)

    def _keep(self, path: Path, undo: ExitStack) -> None:
        """Keep a file that is about to be replaced or removed, for `undo`."""
        if not os.path.lexists(path):
            undo.callback(path.unlink, missing_ok=True)
            return
        kept = self.folder / _KEPT / path.relative_to(self.out)
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError:
            # Not every file system has links, and Linux may refuse one to another user's file.
            shutil.copy2(path, kept, follow_symlinks=False)
        undo.callback(_restore, kept, path)


def _restore(kept: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept.replace(path)


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
        _remove(folder)
        raise
    return _Staged(out, folder, files, differences, whole)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        # A failed write does not name its file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _staging_folder(out: Path) -> Path:
    """Create the folder for new files: next to the package's, or inside it if files cannot be moved from there or none be created."""
    beside = _beside(out)
    inside = out / beside.name
    try:
        beside.mkdir()
    except (PermissionError, FileExistsError):
        if not out.is_dir():
            raise
    else:
        if not out.exists() or _can_move(beside, inside):
            return beside
        beside.rmdir()
    inside.mkdir()
    return inside


def _can_move(folder: Path, other: Path) -> bool:
    """Return whether a folder can be renamed to the other path and back; if the package's folder is a mount point, it cannot."""
    # Only the attempt is certain: a mount of the same file system has the same device number.
    try:
        folder.rename(other)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    other.rename(folder)
    return True


def _clear(out: Path) -> None:
    """Remove what a killed run left: under the lock, no other run uses it."""
    for folder in (_beside(out), out / _beside(out).name):
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder of ours, even if it was exchanged with one that is not writable."""
    if folder.is_symlink() or not folder.is_dir():
        return
    with suppress(OSError):
        folder.chmod(0o700)
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
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
