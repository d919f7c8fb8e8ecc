"""A list with four optional filters, of which one is given: each contender in its own way.

`(filter IS NULL OR column = filter)` is how one statement has optional filters without a generator or a builder. Prepared, it has a plan
for the values of each call, or one for all values; psycopg leaves the choice to PostgreSQL, so both are measured.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple, TypeAlias

from psycopg import Connection, RawCursor
from sqlalchemy import Column, DateTime, Integer, MetaData, Numeric, Select, Table, Text, select

from benchmarks.contenders.alchemy import sync_engine
from benchmarks.names import BUILDER, BY_HAND, CUSTOM_PLAN, DIRECT, GENERATED, GENERIC_PLAN
from benchmarks.place import Place

MOST = 50
_ONE_FILTER: LiteralString = (
    "SELECT id, customer, status, placed_at, total FROM sales WHERE customer = $1 ORDER BY placed_at DESC, id DESC LIMIT $2"
)
_IS_NULL_OR: LiteralString = """
SELECT id, customer, status, placed_at, total FROM sales
WHERE ($1::int4 IS NULL OR customer = $1) AND ($2::text IS NULL OR status = $2)
  AND ($3::timestamptz IS NULL OR placed_at >= $3) AND ($4::timestamptz IS NULL OR placed_at < $4)
ORDER BY placed_at DESC, id DESC LIMIT $5::int8
"""
_SALES = Table(
    "sales",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("customer", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("total", Numeric(12, 2), nullable=False),
)


class Sale(NamedTuple):
    """A row of `sales`."""

    id: int
    customer: int
    status: str
    placed_at: dt.datetime
    total: Decimal


Find: TypeAlias = Callable[[int], list[Any]]


class Filtering(NamedTuple):
    """A contender: it returns the newest sales of a customer, and the nodes of the plan that it does so by."""

    find: Find
    plan: Callable[[int], str]


@contextmanager
def contenders(place: Place) -> Generator[dict[str, Filtering]]:
    """Connect all of them."""
    with ExitStack() as stack:

        def connected(mode: LiteralString = "auto") -> Connection[Any]:
            conn = stack.enter_context(Connection.connect(place.url, autocommit=True))
            conn.execute(b"SET plan_cache_mode = " + mode.encode())
            return conn

        yield {
            GENERATED: _generated(connected(), place, "bench_db"),
            DIRECT: _generated(connected(), place, "bench_direct_db"),
            BY_HAND: _by_hand(connected(), _ONE_FILTER, lambda customer: (customer, MOST)),
            CUSTOM_PLAN: _is_null_or(connected("force_custom_plan")),
            GENERIC_PLAN: _is_null_or(connected("force_generic_plan")),
            BUILDER: stack.enter_context(_builder(place)),
        }


def _generated(conn: Connection[Any], place: Place, package: str) -> Filtering:
    queries = place.load("queries", package)
    unset = place.load("_variants", package).UNSET

    def plan(customer: int) -> str:
        sql, values = queries.FIND_SALES.choose((customer, unset, unset, unset, MOST), "newest")
        return _plan(conn, sql, values)

    return Filtering(lambda customer: queries.find_sales(conn, customer=customer, max_rows=MOST), plan)


def _is_null_or(conn: Connection[Any]) -> Filtering:
    return _by_hand(conn, _IS_NULL_OR, lambda customer: (customer, None, None, None, MOST))


def _by_hand(conn: Connection[Any], sql: LiteralString, values: Callable[[int], tuple[Any, ...]]) -> Filtering:
    def find(customer: int) -> list[Sale]:
        return [Sale(*row) for row in RawCursor(conn).execute(sql, values(customer)).fetchall()]

    return Filtering(find, lambda customer: _plan(conn, sql, values(customer)))


@contextmanager
def _builder(place: Place) -> Generator[Filtering]:
    """A statement that is built at each call, as a builder is used for filters."""

    def built(customer: int | None = None, status: str | None = None, since: dt.datetime | None = None) -> Select[Any]:
        statement = select(_SALES)
        if customer is not None:
            statement = statement.where(_SALES.c.customer == customer)
        if status is not None:
            statement = statement.where(_SALES.c.status == status)
        if since is not None:
            statement = statement.where(_SALES.c.placed_at >= since)
        return statement.order_by(_SALES.c.placed_at.desc(), _SALES.c.id.desc()).limit(MOST)

    engine = sync_engine(place.url)
    with engine.connect() as conn, Connection.connect(place.url, autocommit=True) as plain:

        def plan(customer: int) -> str:
            compiled = built(customer).compile(engine, compile_kwargs={"literal_binds": True})
            return _nodes(plain.execute(f"EXPLAIN (FORMAT JSON) {compiled}".encode()).fetchone())

        yield Filtering(lambda customer: [Sale(*row) for row in conn.execute(built(customer)).all()], plan)
    engine.dispose()


def _plan(conn: Connection[Any], sql: LiteralString, values: tuple[Any, ...]) -> str:
    """Return the nodes of the plan for a prepared statement, after as many executions as PostgreSQL counts before it decides."""
    arguments = ", ".join("NULL" if value is None else str(value) for value in values)
    conn.execute(b"PREPARE explained AS " + sql.encode())
    try:
        for _ in range(6):
            conn.execute(f"EXECUTE explained({arguments})".encode())
        return _nodes(conn.execute(f"EXPLAIN (FORMAT JSON) EXECUTE explained({arguments})".encode()).fetchone())
    finally:
        conn.execute("DEALLOCATE explained")


def _nodes(row: tuple[Any, ...] | None) -> str:
    """Return the names of a plan's nodes, from the outermost."""

    def names(node: dict[str, Any]) -> Iterator[str]:
        index = f" on {node['Index Name']}" if "Index Name" in node else ""
        yield f"{node['Node Type']}{index}"
        for inner in node.get("Plans", ()):
            yield from names(inner)

    document = row[0] if row else []
    found: list[dict[str, Any]] = json.loads(document) if isinstance(document, str) else document
    return ", ".join(names(found[0]["Plan"]))
