"""Read models: what the shop shows, in the shape in which it is looked at. They are no entities, and nothing is written from them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from shop.domain.money import Currency, Money
from shop.domain.orders import OrderId, OrderStatus
from shop.domain.values import UserId

Item = TypeVar("Item")


class ReadModel(BaseModel):
    """The base of all read models: values that do not change."""

    model_config = ConfigDict(frozen=True)


class PublicProfile(ReadModel):
    """What anyone may know of a user."""

    id: UserId
    first_name: str
    last_name: str


class UserSummary(ReadModel):
    """A user in a listing: everything but the password."""

    id: UserId
    first_name: str
    last_name: str
    email: str
    phone: str | None
    created_at: datetime
    updated_at: datetime
    version: int


class OrderSummary(ReadModel):
    """An order in a listing."""

    id: OrderId
    status: OrderStatus
    total: Money
    line_count: int
    placed_at: datetime
    updated_at: datetime


class OrderTotals(ReadModel):
    """All of a user's orders in one currency: how many are in each status, and what those that are paid come to."""

    orders: int
    placed: int
    paid: int
    shipped: int
    cancelled: int
    spent: Money
    last_placed_at: datetime


class UserOrderSummary(ReadModel):
    """All of a user's orders, by currency."""

    user_id: UserId
    totals: tuple[OrderTotals, ...]


class DailySales(ReadModel):
    """What was paid on one day in one currency, less what was paid back: both numbers may be negative."""

    day: date
    currency: Currency
    orders: int
    revenue_minor: int


class AuditOutcome(StrEnum):
    """How an action went."""

    DONE = "done"
    REFUSED = "refused"


class AuditRecord(ReadModel):
    """An entry of the audit log."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    origin: str
    outcome: AuditOutcome
    metadata: dict[str, str]
    trace_id: str


class DeadMessage(ReadModel):
    """A message that its consumer gave up, or the relay: `relay` is the consumer then."""

    consumer: str
    message_id: uuid.UUID
    event_type: str
    attempts: int
    last_error: str
    dead_at: datetime


class Page(ReadModel, Generic[Item]):
    """A part of a listing. `next_cursor` gives the page behind it, and is None on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None
