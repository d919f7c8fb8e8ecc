"""What the consumer `sales` makes of events: how much was sold on each day."""

from __future__ import annotations

from datetime import UTC, date
from typing import Protocol

from shop.application.messages import Message
from shop.domain.events import Event, OrderCancelled, OrderPaid
from shop.domain.money import Currency


class SalesLedger(Protocol):
    """Keeps daily sales. It takes part in its caller's transaction."""

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to a day's sales; negative numbers take off."""
        ...


async def keep_sales(event: Event, message: Message, ledger: SalesLedger) -> None:
    """Count a paid order on its day, and one that was cancelled after it was paid off the day of that. Sums do not mind any order."""
    day = message.occurred_at.astimezone(UTC).date()
    match event:
        case OrderPaid(total=total):
            await ledger.add(day, total.currency, orders=1, revenue_minor=total.minor)
        case OrderCancelled(refund=refund) if refund is not None:
            await ledger.add(day, refund.currency, orders=-1, revenue_minor=-refund.minor)
        case _:
            pass
