"""The consumer `sales`: counts what was sold on each day."""

from __future__ import annotations

from datetime import UTC, date
from typing import Final, Protocol

from shop.application.messaging.messages import Message
from shop.domain.events import Event, OrderCancelled, OrderPaid
from shop.domain.money import Currency

EVENTS: Final = (OrderPaid, OrderCancelled)
"""The events that change the sales."""


class SalesLedger(Protocol):
    """The effects of the handler: daily sales, written in its caller's transaction."""

    async def add(self, day: date, currency: Currency, *, orders: int, revenue_minor: int) -> None:
        """Add to the sales of a day; negative numbers subtract."""
        ...


async def record_sales(event: Event, message: Message, ledger: SalesLedger) -> None:
    """Add a paid order to the day of its payment, and subtract a refund from the day of the cancellation, in any order of events."""
    day = message.occurred_at.astimezone(UTC).date()
    match event:
        case OrderPaid(total=total):
            await ledger.add(day, total.currency, orders=1, revenue_minor=total.minor)
        case OrderCancelled(refund=refund) if refund is not None:
            await ledger.add(day, refund.currency, orders=-1, revenue_minor=-refund.minor)
        case _:
            pass
