"""Domain events: facts about users and orders, published once they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shop.domain.money import Money
from shop.domain.values import EmailAddress, OrderId, UserId


@dataclass(frozen=True, slots=True)
class UserRegistered:
    """A user registered."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserProfileUpdated:
    """A user's name, address or phone number changed."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserPasswordChanged:
    """A user changed the password."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserRoleChanged:
    """A user has another role, as in `clerk`."""

    user_id: UserId
    role: str


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """A user was deleted."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class AuthenticationSucceeded:
    """A user proved to know the password, to log in."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """A login failed: the password was wrong, or no user has the address."""

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
    """An order was shipped."""

    order_id: OrderId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """An order was cancelled. `refund` is the amount that had been paid, None if it was not paid."""

    order_id: OrderId
    user_id: UserId
    refund: Money | None


UserEvent: TypeAlias = UserRegistered | UserProfileUpdated | UserPasswordChanged | UserRoleChanged | UserDeleted
LoginEvent: TypeAlias = AuthenticationSucceeded | AuthenticationFailed
OrderEvent: TypeAlias = OrderPlaced | OrderPaid | OrderShipped | OrderCancelled
Event: TypeAlias = UserEvent | LoginEvent | OrderEvent


KINDS: Final[Mapping[type[Event], str]] = {
    **dict.fromkeys(
        (UserRegistered, UserProfileUpdated, UserPasswordChanged, UserRoleChanged, UserDeleted, AuthenticationSucceeded), "user"
    ),
    AuthenticationFailed: "login",
    **dict.fromkeys((OrderPlaced, OrderPaid, OrderShipped, OrderCancelled), "order"),
}
"""The kind of aggregate that each event is about."""


def aggregate_of(event: Event) -> str:
    """Return the aggregate of an event, as in `order:<id>`. Events of one aggregate are published in the order in which they occurred."""
    match event:
        case (
            UserRegistered() | UserProfileUpdated() | UserPasswordChanged() | UserRoleChanged() | UserDeleted() | AuthenticationSucceeded()
        ):
            return f"user:{event.user_id}"
        case AuthenticationFailed():
            return f"login:{event.email.text.lower()}"
        case OrderPlaced() | OrderPaid() | OrderShipped() | OrderCancelled():
            return f"order:{event.order_id}"
