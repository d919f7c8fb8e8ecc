"""The measurement of the service under load, on the real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from benchmarks import load
from benchmarks.load import Load, Measured, measure, serving

pytestmark = pytest.mark.programs

# Of passwords, whose hashes are slow by design.
CHEAP = {"SHOP_PASSWORD_MEMORY_KIB": "8", "SHOP_PASSWORD_PASSES": "1", "SHOP_PASSWORD_LANES": "1"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor times are read from /proc")
def test_each_operation_is_measured_on_the_served_program(database_url: str, redis_url: str) -> None:
    def grant(user: str) -> None:
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute("UPDATE users SET role = 'clerk' WHERE id = %s", [user])

    with serving({**CHEAP, "DATABASE_URL": database_url, "REDIS_URL": redis_url}) as server:
        found = asyncio.run(measure(server, Load(clients=2, seconds=0.1), grant))
    assert [one.operation for one in found] == list(load.OPERATIONS)
    for one in found:
        assert 0 < one.percentile(50) <= one.percentile(99)
        assert one.rate > 0
    with psycopg.connect(database_url) as conn:
        # The first one of each client is not counted.
        assert conn.execute("SELECT count(*) FROM orders").fetchone() == (2 + len(found[1].latencies),)


def test_percentiles_and_the_table() -> None:
    one = Measured("read", tuple(number / 1000 for number in range(100, 0, -1)), 2.0, 0.3)
    assert (one.percentile(50), one.percentile(99), one.rate) == (0.051, 0.1, 50)
    assert load.as_table([one], Load(clients=4)).splitlines()[2] == "| read | 4 | 50 | 51.0 ms | 100 ms | 3.00 ms |"
