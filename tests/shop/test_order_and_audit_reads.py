"""The contracts of `OrderReadRepository` and `AuditReadRepository`, for PostgreSQL and in memory."""

from __future__ import annotations

import uuid
from datetime import date
from itertools import pairwise
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection

from shop.application.context import Actor, Context
from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import OrderSummary, UserOrderSummary
from shop.application.reads.orders import FoundOrders, OrderPageKey
from shop.application.reads.repositories import ReadRepositories
from shop.application.reads.searches import OrderFilter, OrderSort
from shop.application.transactions.audit import AuditEntry, AuditLog, AuditOutcome
from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderRepository, OrderStatus
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile, UserRepository
from shop.domain.values import EmailAddress, OrderId, PasswordHash, PersonName, UserId
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.reads.repositories import read_repositories_on
from shop.infrastructure.postgres.transactions.projections import PostgresProjections
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository
from shop_db import UNSET
from shop_db.orders import FIND_ORDERS, LIST_ORDERS_OF_USER, find_orders

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
EUROS = OrderLine("BOOK-1", "A book", 2, Money(12_50, Currency.EUR))
POUNDS = OrderLine("BOOK-2", "Another book", 1, Money(7_00, Currency.GBP))
UNKNOWN = UserId(uuid.UUID(int=1))


async def register(users: UserRepository, name: str = "ada") -> UserId:
    added = await users.add(NewUser(Profile(PersonName("Ada", "Lovelace"), EmailAddress(f"{name}@example.org")), HASH))
    assert isinstance(added, Ok)
    return added.value.id


async def place(orders: OrderRepository, user_id: UserId, line: OrderLine = EUROS, *statuses: OrderStatus) -> Order:
    placed = await orders.add(NewOrder(user_id, (line, line)))
    for status in statuses:
        assert isinstance(placed, Ok)
        moved = {OrderStatus.PAID: Order.pay, OrderStatus.SHIPPED: Order.ship, OrderStatus.CANCELLED: Order.cancel}[status](placed.value)
        assert isinstance(moved, Ok)
        placed = await orders.save_status(moved.value)  # type: ignore[assignment]
    assert isinstance(placed, Ok)
    return placed.value


async def test_an_order_is_listed_with_its_total(users: UserRepository, orders: OrderRepository, reads: ReadRepositories) -> None:
    user_id = await register(users)
    order = await place(orders, user_id, EUROS, OrderStatus.PAID)
    page = await reads.orders.history(user_id, 10)
    shown = OrderSummary(
        id=order.id,
        status=OrderStatus.PAID,
        total=Money(50_00, Currency.EUR),
        line_count=2,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )
    assert (page.orders, page.following) == ((shown,), None)


@pytest.mark.parametrize("size", [1, 2, 5, 6])
async def test_pages_of_any_size_contain_every_order_of_the_user_once_newest_first(
    users: UserRepository, orders: OrderRepository, reads: ReadRepositories, size: int
) -> None:
    user_id, other_id = await register(users), await register(users, "other")
    await place(orders, other_id)
    placed = [(await place(orders, user_id)).id for _ in range(5)]
    found: list[OrderId] = []
    after: OrderPageKey | None = None
    for _ in range(6):
        page = await reads.orders.history(user_id, size, after)
        found += [order.id for order in page.orders]
        after = page.following
        if after is None:
            break
    assert (found, after) == (placed[::-1], None)


async def test_orders_are_totalled_by_currency(users: UserRepository, orders: OrderRepository, reads: ReadRepositories) -> None:
    user_id = await register(users)
    await place(orders, user_id)
    await place(orders, user_id, EUROS, OrderStatus.PAID)
    await place(orders, user_id, EUROS, OrderStatus.PAID, OrderStatus.SHIPPED)
    await place(orders, user_id, EUROS, OrderStatus.CANCELLED)
    last = await place(orders, user_id, POUNDS)
    euros, pounds = (await reads.orders.summary(user_id)).totals
    assert (euros.orders, euros.placed, euros.paid, euros.shipped, euros.cancelled) == (4, 1, 1, 1, 1)
    assert (euros.spent, pounds.spent) == (Money(100_00, Currency.EUR), Money(0, Currency.GBP))
    assert pounds.last_placed_at == last.placed_at


async def test_a_search_finds_the_orders_that_all_given_filters_accept(
    users: UserRepository, orders: OrderRepository, reads: ReadRepositories
) -> None:
    ada, bob = await register(users), await users.add(NewUser(Profile(PersonName("Bob", "Byron"), EmailAddress("bob@example.org")), HASH))
    assert isinstance(bob, Ok)
    placed = [
        await place(orders, ada),
        await place(orders, ada, POUNDS, OrderStatus.PAID),
        await place(orders, bob.value.id, EUROS, OrderStatus.PAID),
        await place(orders, bob.value.id, POUNDS, OrderStatus.CANCELLED),
    ]

    async def numbers(wanted: OrderFilter, sort: OrderSort = "oldest", at_most: int = 9) -> list[int]:
        ids = [order.id for order in placed]
        found = await reads.orders.find(wanted, sort, at_most)
        assert isinstance(found, Ok)
        return [ids.index(order.id) for order in found.value.orders]

    assert await numbers(OrderFilter()) == [0, 1, 2, 3]
    assert await numbers(OrderFilter(), "newest", 2) == [3, 2]
    assert (await numbers(OrderFilter(currency=Currency.EUR), "largest"), await numbers(OrderFilter(), "largest", 2)) in (
        ([0, 2], [0, 2]),
        ([2, 0], [2, 0]),
    )
    assert await numbers(OrderFilter(statuses=(OrderStatus.PAID, OrderStatus.CANCELLED))) == [1, 2, 3]
    assert await numbers(OrderFilter(statuses=(OrderStatus.PAID,), last_name="LOVE", currency=Currency.GBP)) == [1]
    assert await numbers(OrderFilter(placed_since=placed[1].placed_at, placed_before=placed[3].placed_at)) == [1, 2]
    assert await numbers(OrderFilter(last_name="b")) == [2, 3]
    assert await numbers(OrderFilter(last_name="%")) == []


@pytest.mark.parametrize("sort", ["newest", "oldest", "largest"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_the_pages_of_a_search_contain_what_it_finds_once_both_ways(
    users: UserRepository, orders: OrderRepository, reads: ReadRepositories, sort: OrderSort, size: int
) -> None:
    ada = await register(users)
    for number in range(7):
        await place(orders, ada, (EUROS, POUNDS)[number % 2], *[OrderStatus.PAID] * (number != 3))
    wanted = OrderFilter(statuses=(OrderStatus.PAID,))

    async def page(cursor: str | None, size: int = size) -> FoundOrders:
        found = await reads.orders.find(wanted, sort, size, cursor)
        assert isinstance(found, Ok)
        return found.value

    whole = await page(None, 9)
    assert (len(whole.orders), whole.following, whole.preceding) == (6, None, None)
    walked = [await page(None)]
    while (cursor := walked[-1].following) is not None:
        walked.append(await page(cursor))
    assert tuple(order for each in walked for order in each.orders) == whole.orders
    assert walked[0].preceding is None
    for before, after in pairwise(walked):
        assert after.preceding is not None
        assert (await page(after.preceding)).orders == before.orders


async def test_a_cursor_of_another_order_is_refused(users: UserRepository, orders: OrderRepository, reads: ReadRepositories) -> None:
    ada = await register(users)
    await place(orders, ada)
    await place(orders, ada)
    found = await reads.orders.find(OrderFilter(), "newest", 1)
    assert isinstance(found, Ok)
    for cursor in (found.value.following, "nonsense"):
        assert await reads.orders.find(OrderFilter(), "oldest", 1, cursor) == Err(InvalidCursor("found orders, oldest first"))


LARGE = OrderLine("PALACE", "A palace", 1000, Money(10**9, Currency.EUR))


async def test_a_sum_of_many_large_orders_has_no_limit(users: UserRepository, orders: OrderRepository, reads: ReadRepositories) -> None:
    user_id = await register(users)
    for _ in range(11):
        placed = await orders.add(NewOrder(user_id, (LARGE,) * 100))
        assert isinstance(placed, Ok)
        paid = placed.value.pay()
        assert isinstance(paid, Ok)
        await orders.save_status(paid.value)
    [totals] = (await reads.orders.summary(user_id)).totals
    assert totals.spent == Money(11 * 10**14, Currency.EUR)


async def test_a_sum_is_not_limited_by_the_column_of_one_order(conn: AsyncConnection[Any], queries: Queries) -> None:
    user_id = await register(PostgresUserRepository(queries, CollectedEvents()))
    largest = 2**63 - 1
    await conn.execute(
        "INSERT INTO orders (user_id, status, currency, total_minor) SELECT %s, 'paid', 'EUR', %s FROM generate_series(1, 3)",
        [user_id, largest],
    )
    [totals] = (await read_repositories_on(queries).orders.summary(user_id)).totals
    assert totals.spent == Money(3 * largest, Currency.EUR)


async def test_rebuilt_sales_have_no_limit(conn: Connection, queries: Queries) -> None:
    user_id = await register(PostgresUserRepository(queries, CollectedEvents()))
    largest = 2**63 - 1
    await conn.execute(
        """
        WITH paid AS (
            INSERT INTO orders (user_id, status, currency, total_minor) SELECT %s, 'paid', 'EUR', %s FROM generate_series(1, 3) RETURNING id
        )
        INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
        SELECT 'anonymous', 'order.pay', 'order:' || id, 'pytest', 'done', '' FROM paid
        """,
        [user_id, largest],
    )
    async with conn.transaction():
        assert await PostgresProjections(conn, queries).rebuild_sales() == 1
    [sales] = await read_repositories_on(queries).orders.daily_sales(date.min)
    assert (sales.orders, sales.revenue_minor) == (3, 3 * largest)


async def test_a_user_without_orders_has_an_empty_summary(reads: ReadRepositories) -> None:
    assert await reads.orders.summary(UNKNOWN) == UserOrderSummary(user_id=UNKNOWN, totals=())


async def test_the_size_of_a_page_is_at_least_1(reads: ReadRepositories) -> None:
    with pytest.raises(ValueError, match="a page has at least one order, not 0"):
        await reads.orders.history(UNKNOWN, 0)
    with pytest.raises(ValueError, match="0"):
        await reads.orders.find(OrderFilter(), "newest", 0)
    with pytest.raises(ValueError, match="a page has at least one entry, not 0"):
        await reads.audit.page(None, 0)


@pytest.mark.parametrize("plan_cache_mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_history_is_read_from_the_index_with_its_sort_order(conn: AsyncConnection[Any], plan_cache_mode: LiteralString) -> None:
    await conn.execute(f"SET plan_cache_mode = {plan_cache_mode}")
    await conn.execute("SET enable_sort = off")
    await conn.execute(f"PREPARE page (uuid, timestamptz, uuid, bigint) AS {LIST_ORDERS_OF_USER}")
    cur = await conn.execute("EXPLAIN (COSTS OFF) EXECUTE page (gen_random_uuid(), now(), gen_random_uuid(), 10)")
    plan = "\n".join(line for (line,) in await cur.fetchall())
    assert "Index Scan using orders_user_id_placed_at_id_idx" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("order", "index"),
    [("newest", "orders_placed_at_id_idx"), ("oldest", "orders_placed_at_id_idx"), ("largest", "orders_total_minor_id_idx")],
)
async def test_a_search_reads_an_index_in_its_order(conn: AsyncConnection[Any], order: OrderSort, index: str) -> None:
    await conn.execute("SET enable_sort = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
    user_id = await register(PostgresUserRepository(Queries(conn), CollectedEvents()))
    await conn.execute("INSERT INTO orders (user_id, currency, total_minor) SELECT %s, 'EUR', n FROM generate_series(1, 2) n", [user_id])
    after = (await find_orders(conn, page_size=1, order=order)).next
    before = (await find_orders(conn, page_size=1, order=order, cursor="last")).previous
    for cursor in (None, after, "last", before):
        sql, *_ = FIND_ORDERS.choose((UNSET, "EUR", UNSET, UNSET, "love", 10), cursor, order)
        cur = await conn.execute(f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {sql}".encode())
        plan = "\n".join(line for (line,) in await cur.fetchall())
        assert f"using {index}" in plan
        assert "Sort" not in plan
        assert ("Index Cond: (ROW(placed_at" in plan or "Index Cond: (total_minor" in plan) is (cursor in {after, before})


# --- The audit trail ----------------------------------------------------------------------------------------------------


def entry(subject: str, action: str = "order.pay") -> AuditEntry:
    return AuditEntry(Context(Actor.admin("clerk"), "pytest", "trace-1"), action, subject, AuditOutcome.REFUSED, {"reason": "é\"'"})


async def test_an_entry_is_listed_as_appended(audit: AuditLog, reads: ReadRepositories) -> None:
    await audit.append(entry("order:1"))
    [shown] = (await reads.audit.page(None, 10)).entries
    assert (shown.actor, shown.action, shown.subject, shown.origin) == ("admin:clerk", "order.pay", "order:1", "pytest")
    assert (shown.outcome, shown.metadata, shown.trace_id) == (AuditOutcome.REFUSED, {"reason": "é\"'"}, "trace-1")
    assert shown.at.tzinfo is not None


async def test_entries_of_one_subject_and_of_all_are_paged_newest_first(audit: AuditLog, reads: ReadRepositories) -> None:
    for number in range(6):
        await audit.append(entry(f"order:{number % 2}", f"action.{number}"))
    for subject, expected in (("order:1", [5, 3, 1]), (None, [5, 4, 3, 2, 1, 0]), ("order:2", [])):
        found: list[str] = []
        after: int | None = None
        for _ in range(4):
            page = await reads.audit.page(subject, 2, after)
            found += [shown.action for shown in page.entries]
            after = page.following
            if after is None:
                break
        assert (found, after) == ([f"action.{number}" for number in expected], None)
