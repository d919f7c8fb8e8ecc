"""What happened: facts about users and orders, told to whoever is interested once they are committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from shop.domain.money import Money
from shop.domain.orders import OrderId
from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class UserRegistered:
    """Somebody became a user."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserProfileUpdated:
    """A user's name, address or phone number changed."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserPasswordChanged:
    """A user has another password."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """A user is gone."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Somebody gave a wrong password, or an address that nobody has."""

    email: EmailAddress


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """A user placed an order."""

    order_id: OrderId
    user_id: UserId
    total: Money


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order was paid."""

    order_id: OrderId
    user_id: UserId
    total: Money


@dataclass(frozen=True, slots=True)
class OrderShipped:
    """An order left the house."""

    order_id: OrderId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """An order was cancelled. `refund` is what had been paid for it, None where nothing had been."""

    order_id: OrderId
    user_id: UserId
    refund: Money | None


UserEvent: TypeAlias = UserRegistered | UserProfileUpdated | UserPasswordChanged | UserDeleted
OrderEvent: TypeAlias = OrderPlaced | OrderPaid | OrderShipped | OrderCancelled
Event: TypeAlias = UserEvent | AuthenticationFailed | OrderEvent


def aggregate_of(event: Event) -> str:
    """Name what the event is about, as in `order:<id>`: events of one aggregate are told in the order in which they happened."""
    match event:
        case UserRegistered() | UserProfileUpdated() | UserPasswordChanged() | UserDeleted():
            return f"user:{event.user_id}"
        case AuthenticationFailed():
            return f"login:{event.email.text.lower()}"
        case OrderPlaced() | OrderPaid() | OrderShipped() | OrderCancelled():
            return f"order:{event.order_id}"
