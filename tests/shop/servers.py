"""Manipulation of servers by tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from shop.local_servers import LocalServer


def info(server: LocalServer, section: str) -> dict[str, Any]:
    """Return a section of the INFO of a Redis server."""
    with Redis.from_url(server.url) as client:  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        found: dict[str, Any] = client.info(section)  # pyright: ignore[reportUnknownMemberType] as above
    return found


@contextmanager
def frozen(server: LocalServer) -> Generator[None]:
    """Freeze a server until the end of the block: it keeps its connections and answers nothing."""
    os.kill(server.process_id, signal.SIGSTOP)
    # A thread of it may run, and answer, until all of them have stopped.
    _, status = os.waitpid(server.process_id, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    try:
        yield
    finally:
        os.kill(server.process_id, signal.SIGCONT)
