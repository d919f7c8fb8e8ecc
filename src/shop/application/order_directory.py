"""The read side's port for orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shop.application.read_models import DailySales, OrderSummary, UserOrderSummary
from shop.domain.orders import OrderId
from shop.domain.values import UserId


@dataclass(frozen=True, slots=True)
class OrderPageKey:
    """The place in a user's history behind which a page starts: time and id of the last order before it."""

    placed_at: datetime
    id: OrderId


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders of a user, newest first. `following` is the key of the page behind this one, None on the last."""

    orders: tuple[OrderSummary, ...]
    following: OrderPageKey | None


class OrderDirectory(Protocol):
    """Answers questions about orders."""

    async def history(self, user_id: UserId, size: int, after: OrderPageKey | None = None) -> OrderPage:
        """Get the first page of a user's orders, or the one behind `after`. Raises ValueError for a size below 1."""
        ...

    async def summary(self, user_id: UserId) -> UserOrderSummary:
        """Sum up a user's orders; a user without orders, and an unknown one, has none."""
        ...

    async def daily_sales(self, since: date) -> Sequence[DailySales]:
        """List the sales from a day on, newest first: as far as the consumer of events has come."""
        ...
