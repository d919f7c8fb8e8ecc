"""Which processors a call runs on.

In a call the client works, then the server, then the client. On two processors each wait ends with waking up the other one, which on many
virtual machines takes longer than the call itself, in some rounds and not in others. On one processor a call takes as long as its work.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import psycopg


@contextmanager
def on_one_processor(url: str) -> Generator[None]:
    """Pin this process and the server's client backends to one processor, where the system can (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    processes = [0, *_backends(url)]
    _bind(processes, {max(all_of_them)})
    try:
        yield
    finally:
        _bind(processes, all_of_them)


def _backends(url: str) -> list[int]:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
        return [pid for (pid,) in found]


def _bind(processes: list[int], processors: set[int]) -> None:
    for process in processes:
        os.sched_setaffinity(process, processors)
