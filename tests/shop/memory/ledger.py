"""The sales in memory."""

from __future__ import annotations

from datetime import date

from shop.application.reads.models import DailySales
from shop.domain.money import Currency

from .state import MemoryState, MemoryTransaction


class MemorySalesLedger:
    """`SalesLedger` that collects additions until its transaction is committed."""

    def __init__(self) -> None:
        self._added: list[DailySales] = []

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to the sales of a day; negative numbers subtract."""
        self._added.append(DailySales(day=day, currency=currency, orders=orders, revenue_minor=revenue_minor))

    def write(self, state: MemoryState) -> None:
        """Write all additions to the state."""
        for each in self._added:
            key = (each.day, each.currency)
            known = state.sales.get(key, DailySales(day=each.day, currency=each.currency, orders=0, revenue_minor=0))
            state.sales[key] = DailySales(
                day=each.day,
                currency=each.currency,
                orders=known.orders + each.orders,
                revenue_minor=known.revenue_minor + each.revenue_minor,
            )


class MemoryTransactionLedger:
    """`SalesLedger` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to the sales of a day; negative numbers subtract."""
        ledger = MemorySalesLedger()
        await ledger.add(day, currency, orders=orders, revenue_minor=revenue_minor)
        ledger.write(self._transaction.state)
