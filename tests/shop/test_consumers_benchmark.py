"""The measurement of parallel consumers, on the real programs."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from benchmarks.consumers import Handled, Work, Wrong, as_table, measure, verify
from shop.local_servers import LocalServer

pytestmark = pytest.mark.programs


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor times are read from /proc")
def test_each_number_of_processes_is_measured_and_a_wrong_order_and_wrong_sums_are_found(database_url: str, nats: LocalServer) -> None:
    found = measure({"DATABASE_URL": database_url, "NATS_URL": nats.url}, Work(messages=60, orders=20), [1, 2])
    assert [(one.processes, one.messages) for one in found] == [(1, 60), (2, 60)]
    assert all(one.elapsed > 0 for one in found)
    with psycopg.connect(database_url) as conn:
        conn.execute("""
            UPDATE inbox SET handled_at = 'epoch'
            WHERE message_id = (SELECT message_id FROM outbox ORDER BY position DESC LIMIT 1)
        """)
        with pytest.raises(Wrong, match=r"^1 events overtook an earlier one of their order$"):
            verify(conn)
        conn.rollback()
        conn.execute("UPDATE daily_sales SET orders = orders + 1 WHERE shard = (SELECT min(shard) FROM daily_sales)")
        with pytest.raises(Wrong, match=r"^\d+ payments of \d+ were counted instead of \d+ of \d+$"):
            verify(conn)
        conn.rollback()
        verify(conn)


def test_the_table() -> None:
    assert as_table([Handled(2, 3000, 2.0, 1.5)]).splitlines()[2] == "| 2 | 1500 | 500 µs |"
