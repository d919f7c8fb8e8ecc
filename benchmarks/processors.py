"""Which processors a call runs on.

In a call the client works, then the server, then the client. On two processors each wait ends with waking up the other one, which on many
virtual machines takes longer than the call itself, in some rounds and not in others. On one processor a call takes as long as its work.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg


@contextmanager
def on_one_processor(url: str) -> Generator[None]:
    """Pin this process and the server's client backends to one processor, where the system can (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    backends = _backends(url)
    _bind([*_threads(), *backends], {max(all_of_them)})
    try:
        yield
    finally:
        # Threads that were started meanwhile have inherited the binding.
        _bind([*_threads(), *backends], all_of_them)


def _threads() -> list[int]:
    """Return the threads of this process, since psqlpy works in threads of its own."""
    return [int(thread.name) for thread in Path("/proc/self/task").iterdir()]


def _backends(url: str) -> list[int]:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
        return [pid for (pid,) in found]


def _bind(tasks: list[int], processors: set[int]) -> None:
    for task in tasks:
        # A thread may have ended since.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(task, processors)
