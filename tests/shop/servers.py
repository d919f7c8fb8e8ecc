"""What tests do to servers."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager

from redis import Redis

from shop.local_servers import LocalServer


@contextmanager
def frozen(server: LocalServer) -> Generator[None]:
    """Have a server hold its connections and answer nothing for the length of the block."""
    with Redis.from_url(server.url) as client:
        process_id: int = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
