"""What tests do to servers."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from shop.local_servers import LocalServer


def info(server: LocalServer, section: str) -> dict[str, Any]:
    """A section of what a Redis server says of itself."""
    with Redis.from_url(server.url) as client:  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments half
        found: dict[str, Any] = client.info(section)  # pyright: ignore[reportUnknownMemberType] as above
    return found


@contextmanager
def frozen(server: LocalServer) -> Generator[None]:
    """Have a server hold its connections and answer nothing for the length of the block."""
    process_id: int = info(server, "server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
