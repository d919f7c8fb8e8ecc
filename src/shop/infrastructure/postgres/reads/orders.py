"""`OrderReadRepository` over PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import DailySales, OrderDetails, UserOrderSummary
from shop.application.reads.orders import FoundOrders, OrderPage, OrderPageKey
from shop.application.reads.searches import OrderFilter, OrderSort
from shop.domain.result import Err, Ok, Result
from shop.domain.values import OrderId, UserId
from shop.infrastructure.postgres.mapping import daily_sales_from, given, order_details_from, order_summary_from, order_totals_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import UNSET, CursorError, orders
from shop_db.enums import OrderStatus as StoredStatus


class PostgresOrderReadRepository:
    """Reads the tables `orders` and `daily_sales`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def history(self, user_id: UserId, size: int, after: OrderPageKey | None = None) -> OrderPage:
        """Return the first page of a user's orders, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one order, not {size}")
        # One more than requested, to know without a second query whether there is a next page.
        rows = await self._query(
            orders.list_orders_of_user,
            user_id=user_id,
            after_placed_at=None if after is None else after.placed_at,
            after_id=None if after is None else after.id,
            page_size=size + 1,
        )
        summaries = tuple(order_summary_from(row) for row in rows[:size])
        last = summaries[-1] if len(rows) > size else None
        return OrderPage(summaries, following=None if last is None else OrderPageKey(last.placed_at, last.id))

    async def find(self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None = None) -> Result[FoundOrders, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        try:
            page = await self._query(
                orders.find_orders,
                statuses=[StoredStatus(status.value) for status in wanted.statuses] or UNSET,
                currency=given(wanted.currency),
                placed_since=given(wanted.placed_since),
                placed_before=given(wanted.placed_before),
                last_name=given(wanted.last_name),
                page_size=size,
                order=sort,
                cursor=cursor,
            )
        except CursorError:
            return Err(InvalidCursor(f"found orders, {sort} first"))
        return Ok(FoundOrders(tuple(order_summary_from(row) for row in page.rows), page.next, page.previous))

    async def get(self, order_id: OrderId) -> OrderDetails | None:
        """Return an order with its lines, None for an unknown id."""
        rows = await self._query(orders.get_order_with_lines, id=order_id)
        return order_details_from(rows) if rows else None

    async def summary(self, user_id: UserId) -> UserOrderSummary:
        """Return the totals of a user's orders: none for a user without orders and for an unknown user."""
        rows = await self._query(orders.summarize_orders_of_user, user_id=user_id)
        return UserOrderSummary(user_id=user_id, totals=tuple(order_totals_from(row) for row in rows))

    async def daily_sales(self, since: date) -> Sequence[DailySales]:
        """Return the sales since a day, newest first, as far as the consumer `sales` has handled events."""
        return [daily_sales_from(row) for row in await self._query(orders.list_daily_sales, since=since)]
