"""Read models: data in the shape in which it is shown. They are not entities, and nothing is written from them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from shop.application.transactions.audit import AuditOutcome
from shop.domain.money import Currency, Money
from shop.domain.orders import Order, OrderLine, OrderStatus
from shop.domain.users import Role, User
from shop.domain.values import OrderId, UserId

Item = TypeVar("Item")


class ReadModel(BaseModel):
    """The base of all read models: immutable values."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class PublicProfile(ReadModel):
    """The public data of a user."""

    id: UserId
    first_name: str
    last_name: str


class UserSummary(ReadModel):
    """A user in a listing: all data except the password."""

    id: UserId
    first_name: str
    last_name: str
    email: str
    phone: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    role: Role

    @classmethod
    def of(cls, user: User) -> Self:
        """Return the aggregate as it is shown."""
        profile = user.profile
        return cls(
            id=user.id,
            first_name=profile.name.first,
            last_name=profile.name.last,
            email=profile.email.text,
            phone=None if profile.phone is None else profile.phone.text,
            created_at=user.created_at,
            updated_at=user.updated_at,
            version=user.version,
            role=user.role,
        )


class OrderSummary(ReadModel):
    """An order in a listing."""

    id: OrderId
    status: OrderStatus
    total: Money
    line_count: int
    placed_at: datetime
    updated_at: datetime


class OrderDetails(ReadModel):
    """An order with its lines."""

    id: OrderId
    user_id: UserId
    status: OrderStatus
    total: Money
    lines: tuple[OrderLine, ...]
    placed_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the aggregate as it is shown."""
        return cls(
            id=order.id,
            user_id=order.user_id,
            status=order.status,
            total=order.total,
            lines=order.lines,
            placed_at=order.placed_at,
            updated_at=order.updated_at,
            version=order.version,
        )


class OrderTotals(ReadModel):
    """The totals of a user's orders in one currency: their number by status, and the sum of the paid ones."""

    orders: int
    placed: int
    paid: int
    shipped: int
    cancelled: int
    spent: Money
    last_placed_at: datetime


class UserOrderSummary(ReadModel):
    """The totals of a user's orders, by currency."""

    user_id: UserId
    totals: tuple[OrderTotals, ...]


class DailySales(ReadModel):
    """The payments of one day in one currency, less the refunds: both numbers may be negative."""

    day: date
    currency: Currency
    orders: int
    revenue_minor: int


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


class DeadLetter(ReadModel):
    """A message that its consumer could not handle, or that the broker refused: then `consumer` is `relay`."""

    consumer: str
    message_id: uuid.UUID
    event_type: str
    attempts: int
    last_error: str
    dead_at: datetime


class DeadMessage(DeadLetter):
    """A dead letter with its message."""

    message: JsonValue


class Page(ReadModel, Generic[Item]):
    """A page of a listing. `next_cursor` is the cursor of the next page, None on the last.

    `previous_cursor` is that of the page before, None on the first, and in listings that are read in one direction only.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    previous_cursor: str | None = None
