"""Waiting for a state of a server or a process: it is looked for again and again, and a minute without it is a failure."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

_ASLEEP = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database() AND state = 'active'"


def wait_until(holds: Callable[[], object], failure: str) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: it did not hold within a minute; `failure` says what did not happen.
    """
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, failure
        time.sleep(0.01)


def wait_until_asleep(conninfo: str) -> None:
    """Wait until a statement sleeps in the database."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        wait_until(lambda: conn.execute(_ASLEEP).fetchone(), "the server never ran the statement that sleeps")
