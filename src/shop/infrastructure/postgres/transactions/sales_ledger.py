"""`SalesLedger` over PostgreSQL."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shop.domain.money import Currency
from shop.infrastructure.postgres.queries import Queries
from shop_db.orders import add_to_daily_sales


class PostgresSalesLedger:
    """The table `daily_sales`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to the sales of a day; negative numbers subtract."""
        await self._query(add_to_daily_sales, day=day, currency=currency, orders=orders, revenue_minor=Decimal(revenue_minor))
