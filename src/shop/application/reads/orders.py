"""The read repository of orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import DailySales, OrderDetails, OrderSummary, UserOrderSummary
from shop.application.reads.searches import OrderFilter, OrderSort
from shop.domain.result import Result
from shop.domain.values import OrderId, UserId


@dataclass(frozen=True, slots=True)
class OrderPageKey:
    """The sort key of the last order of a page: time and id."""

    placed_at: datetime
    id: OrderId


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders of a user, newest first. `following` is the key of the next page, None on the last."""

    orders: tuple[OrderSummary, ...]
    following: OrderPageKey | None


@dataclass(frozen=True, slots=True)
class FoundOrders:
    """A page of a search. `following` and `preceding` are the cursors of the pages around it, None where there are no more orders."""

    orders: tuple[OrderSummary, ...]
    following: str | None
    preceding: str | None


class OrderReadRepository(Protocol):
    """Reads orders."""

    async def history(self, user_id: UserId, size: int, after: OrderPageKey | None = None) -> OrderPage:
        """Return the first page of a user's orders, or the one after a key. Raises ValueError for a size below 1."""
        ...

    async def find(self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None = None) -> Result[FoundOrders, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        ...

    async def get(self, order_id: OrderId) -> OrderDetails | None:
        """Return an order with its lines, None for an unknown id."""
        ...

    async def summary(self, user_id: UserId) -> UserOrderSummary:
        """Return the totals of a user's orders: none for a user without orders and for an unknown user."""
        ...

    async def daily_sales(self, since: date) -> Sequence[DailySales]:
        """Return the sales since a day, newest first, as far as the consumer `sales` has handled events."""
        ...
