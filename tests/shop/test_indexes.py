"""Every look-up of the service has an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import AsyncConnection

from shop_db.registry import QUERIES, Query

# They ask for all rows there are.
WHOLE = {"CountUsers", "ClearDailySales", "RebuildDailySales"}
# It reads nothing, and has no plan.
UTILITY = {"LockSales"}


def scans(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for inner in plan.get("Plans", []):
        yield from scans(inner)


async def scanned(conn: AsyncConnection[Any], query: Query) -> list[str]:
    """The tables that a query scans where it has to: that is how a missing index shows on a database without data."""
    await conn.execute("SET enable_seqscan = off")
    cur = await conn.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {query.sql}".encode())
    [[[explained]]] = await cur.fetchall()
    return list(scans(explained["Plan"]))


async def test_every_query_finds_its_rows_by_an_index(conn: AsyncConnection[Any]) -> None:
    explainable = [query for query in QUERIES.values() if query.command != ":copyfrom" and query.name not in WHOLE | UTILITY]
    assert {query.name: tables for query in explainable if (tables := await scanned(conn, query))} == {}


async def test_a_missing_index_is_found(conn: AsyncConnection[Any]) -> None:
    await conn.execute("DROP INDEX orders_user_id_placed_at_id_idx")
    assert await scanned(conn, QUERIES["SummarizeOrdersOfUser"]) == ["orders"]
