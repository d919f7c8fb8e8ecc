"""The audit log by months: partitions that are created in time and dropped by the retention, without losing an entry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from typer.testing import CliRunner

from shop.application.health import Unhealthy
from shop.cli import app
from shop.infrastructure.postgres.connection import Connection as ServiceConnection
from shop.infrastructure.postgres.health import PostgresHealth
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.reads.audit import PostgresAuditReadRepository
from shop_db import projections

WRITE = "INSERT INTO audit_log (at, actor, action, subject, origin, outcome, trace_id) VALUES (%s, 'system:a', 'b', %s, 'test', 'done', '')"


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection[Any]]:
    """A connection of the owner's, in a time zone in which months begin earlier."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=Asia/Tokyo") as conn:
        yield conn


def maintain(url: str, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["--json", *options, "database", "maintain"], env={"DATABASE_URL": url}, prog_name="shop")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def month(number: int) -> datetime:
    """Return the beginning of a month, counted from the current one."""
    now = datetime.now(UTC)
    months = now.year * 12 + now.month - 1 + number
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def name(number: int) -> str:
    return f"audit_log_{month(number):%Y_%m}"


def places(owner: Connection[Any]) -> dict[str, list[str]]:
    """Return the subjects in each partition."""
    query = "SELECT tableoid::regclass::text, array_agg(subject::text ORDER BY id) FROM audit_log GROUP BY 1"
    return dict(owner.execute(query).fetchall())


def test_partitions_are_created_ahead_and_only_once(database_url: str, owner: Connection[Any]) -> None:
    assert maintain(database_url) == {"created": [name(1), name(2), name(3)], "dropped": [], "moved": 0}
    assert maintain(database_url) == {"created": [], "dropped": [], "moved": 0}
    owner.execute(WRITE, [month(1), "next"])
    owner.execute(WRITE, [month(2), "the one after"])
    assert places(owner) == {name(1): ["next"], name(2): ["the one after"]}


async def test_entries_without_a_partition_are_kept_and_moved_to_one_later(database_url: str, owner: Connection[Any]) -> None:
    for subject, number in enumerate((0, 1, 9, 1)):
        owner.execute(WRITE, [month(number), str(subject)])
    assert places(owner) == {"audit_log_first": ["0"], "audit_log_default": ["1", "2", "3"]}
    with pytest.raises(Unhealthy, match="shop database maintain"):
        await PostgresHealth(database_url, 60).audit_log()
    assert await asyncio.to_thread(maintain, database_url) == {"created": [name(1), name(2), name(3), name(9)], "dropped": [], "moved": 3}
    assert places(owner) == {"audit_log_first": ["0"], name(1): ["1", "3"], name(9): ["2"]}
    await PostgresHealth(database_url, 60).audit_log()


def test_what_the_retention_no_longer_keeps_is_dropped_and_recorded(database_url: str, owner: Connection[Any]) -> None:
    maintain(database_url)
    owner.execute("ALTER TABLE audit_log DETACH PARTITION audit_log_first")
    for number in (-5, -3, -2, 0):
        owner.execute(WRITE, [month(number), str(number)])
    # Those of months before the retention are moved, and then dropped with the others.
    done = maintain(database_url, "--set", "audit_retention_months=2")
    assert done == {"created": [name(each) for each in (-5, -3, -2, 0)], "dropped": [name(-5), name(-3)], "moved": 4}
    recorded = owner.execute("SELECT subject, metadata ->> 'entries', actor LIKE 'admin:%' FROM audit_log WHERE action = 'audit.drop'")
    assert recorded.fetchall() == [(f"partition:{name(-5)}", "1", True), (f"partition:{name(-3)}", "1", True)]
    assert places(owner)[name(-2)] == ["-2"]
    assert maintain(database_url)["dropped"] == []


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"])
def test_not_even_the_owner_can_change_a_partition(database_url: str, owner: Connection[Any], statement: str) -> None:
    maintain(database_url)
    for number in (0, 1, 9):
        owner.execute(WRITE, [month(number), "x"])
    for table in ("audit_log", "audit_log_default", "audit_log_first", name(1)):
        with pytest.raises(InsufficientPrivilege, match="append-only"):
            owner.execute(statement.format(table).encode())


async def test_pages_go_on_over_partitions(database_url: str, owner: Connection[Any]) -> None:
    await asyncio.to_thread(maintain, database_url)
    for subject, number in enumerate((2, 0, 1, 0, 2, 5)):
        owner.execute(WRITE, [month(number), str(subject)])
    async with await ServiceConnection.connect(database_url, autocommit=True) as conn:
        reads = PostgresAuditReadRepository(Queries(conn))
        found, after = list[str](), None
        while True:
            page = await reads.page(None, 2, after)
            found += [entry.subject for entry in page.entries]
            after = page.following
            if after is None:
                break
        assert found == ["5", "4", "3", "2", "1", "0"]
        assert [entry.id for entry in (await reads.page("3", 2)).entries] == [4]


async def test_a_rebuild_keeps_the_sales_of_days_whose_entries_were_dropped(database_url: str, owner: Connection[Any]) -> None:
    owner.execute(WRITE, [month(-3), "old"])
    owner.execute("INSERT INTO daily_sales VALUES (%s, 'EUR', 7, 700), (%s, 'EUR', 9, 900)", [month(-3).date(), month(1).date()])
    async with await ServiceConnection.connect(database_url, autocommit=True) as conn:
        owner.execute("ALTER TABLE audit_log DETACH PARTITION audit_log_first")
        await asyncio.to_thread(maintain, database_url)
        await projections.clear_daily_sales(conn)
        await projections.rebuild_daily_sales(conn)
    assert owner.execute("SELECT orders FROM daily_sales").fetchall() == [(7,)]


def test_only_the_owner_maintains_partitions(service_url: str) -> None:
    result = CliRunner().invoke(app, ["database", "maintain"], env={"DATABASE_URL": service_url}, prog_name="shop")
    assert (result.exit_code, "URL of the owner of the tables" in result.output) == (1, True), result.output
