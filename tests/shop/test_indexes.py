"""Every lookup of the service uses an index, and reads no rows only to discard them."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from psycopg import AsyncConnection

import shop_db

# The SQL of every query, by the name of its constant.
QUERIES: dict[str, str] = {
    name: value
    for module in pkgutil.iter_modules(shop_db.__path__, "shop_db.")
    if "._" not in module.name
    for name, value in vars(import_module(module.name)).items()
    if name.isupper() and type(value) is str
}
# They read all rows by design.
WHOLE = {"COUNT_USERS", "CLEAR_DAILY_SALES", "REBUILD_DAILY_SALES"}
# It has no plan.
UTILITY = {"LOCK_SALES"}
# Their filters discard rows, each for a reason.
FILTERING = {
    "CLAIM_OUTBOX_BATCH": "pending events are in the index, and nearly all of them are due",
    "END_USER_SESSIONS": "one row by its key, and an UPDATE shows the predicate of a partial index as a filter",
    "GET_DUE_ERASURES": "those that are not due are of the last two hours",
    "HAS_UNSETTLED_NOTICE": "the messages of one recipient by their keys, five at most",
    "LIST_DEAD_MESSAGES": "dead letters are in indexes of their own, and nearly all of them come after the place",
    "MEASURE_ERASURES": "those that are not due are of the last two hours",
    "MEASURE_STREAM_GAP": "runs once per connection, so it is planned with its values: by place in the stream",
    "RELEASE_CLAIM": "the rows of one batch by their keys, and nearly all of them are still claimed",
    "REPUBLISH_OUTBOX": "the requested range, and nearly all of it was published",
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def finds_one_row(conn: AsyncConnection[Any], node: dict[str, Any]) -> bool:
    """Return whether an index scan fixes all columns of a unique key: then its filter applies to one row."""
    cur = await conn.execute(
        """
        SELECT attname::text
        FROM pg_index JOIN pg_attribute ON attrelid = indexrelid
        WHERE indexrelid = %s::regclass AND indisunique AND indpred IS NULL
        """,
        [node["Index Name"]],
    )
    columns = [name for (name,) in await cur.fetchall()]
    return bool(columns) and all(re.search(rf'\b{name}"?\)?(::text)? = (?!ANY)', node["Index Cond"]) for name in columns)


async def is_partial(conn: AsyncConnection[Any], index: str) -> bool:
    cur = await conn.execute("SELECT indpred IS NOT NULL FROM pg_index WHERE indexrelid = %s::regclass", [index])
    return await cur.fetchone() == (True,)


async def wasteful(conn: AsyncConnection[Any], sql: str) -> list[str]:
    """Return the scans of a query that read rows only to discard them.

    These are scans of a table, of a whole index, and with a filter that should be an index condition.
    PostgreSQL scans a table here only if there is no alternative, so an empty database is sufficient.
    """
    await conn.execute("SET enable_seqscan = off")
    cur = await conn.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {sql}".encode())
    [[[explained]]] = await cur.fetchall()
    found: list[str] = []
    for node in nodes(explained["Plan"]):
        kind, index = node["Node Type"], node.get("Index Name")
        is_whole = kind == "Seq Scan" or (index is not None and "Index Cond" not in node and not await is_partial(conn, index))
        is_filtered = (
            "Filter" in node and "Scan" in kind and not (index is not None and "Index Cond" in node and await finds_one_row(conn, node))
        )
        if is_whole or is_filtered:
            found.append(f"{kind} on {node.get('Relation Name') or index}, filter {node.get('Filter')}")
    return found


async def test_every_query_looks_up_its_rows_by_an_index(conn: AsyncConnection[Any]) -> None:
    left_out = WHOLE | UTILITY | FILTERING.keys()
    explainable = {name: sql for name, sql in QUERIES.items() if name not in left_out and not sql.startswith("COPY ")}
    assert explainable.keys() >= {"GET_USER", "PLACE_ORDER"}
    assert {name: scans for name, sql in explainable.items() if (scans := await wasteful(conn, sql))} == {}


async def test_a_missing_index_is_detected(conn: AsyncConnection[Any]) -> None:
    await conn.execute("DROP INDEX orders_user_id_placed_at_id_idx")
    assert await wasteful(conn, QUERIES["SUMMARIZE_ORDERS_OF_USER"])


@pytest.mark.parametrize(
    "sql",
    [
        # One plan for one subject and for all: backward through the whole log, with a filter.
        "SELECT id FROM audit_log WHERE ($1::varchar IS NULL OR subject = $1) AND id < $2::bigint ORDER BY id DESC LIMIT $3",
        # The first column of a unique key is not unique.
        "SELECT 1 FROM inbox WHERE consumer = $1 AND event_type = $2",
        "SELECT count(id) FROM audit_log",
    ],
)
async def test_an_index_scan_that_discards_rows_is_detected(conn: AsyncConnection[Any], sql: str) -> None:
    assert await wasteful(conn, sql)


@pytest.mark.parametrize("name", FILTERING)
async def test_every_exception_is_still_needed(conn: AsyncConnection[Any], name: str) -> None:
    assert await wasteful(conn, QUERIES[name])
