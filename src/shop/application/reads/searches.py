"""Searches of users and of orders: what they find, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from shop.domain.money import Currency
from shop.domain.orders import OrderStatus
from shop.domain.users import Role

UserSort: TypeAlias = Literal["oldest", "newest"]
"""How a search sorts users: by registration."""


@dataclass(frozen=True, slots=True)
class UserFilter:
    """What a search of users finds: those that all given filters accept. None, and no roles, are no filter.

    `part` is a part of "first last address", in any case. `last_name` and `email` are how these begin, in any case; `registered_before`
    itself is excluded.
    """

    part: str | None = None
    last_name: str | None = None
    email: str | None = None
    roles: tuple[Role, ...] = ()
    registered_since: datetime | None = None
    registered_before: datetime | None = None


OrderSort: TypeAlias = Literal["newest", "oldest", "largest"]
"""How a search sorts orders: by time, or by their totals as numbers, whatever the currency."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a search of orders finds: those that all given filters accept. None, and no states, are no filter.

    `last_name` is how the customer's last name begins, in any case; `placed_before` itself is excluded.
    """

    statuses: tuple[OrderStatus, ...] = ()
    currency: Currency | None = None
    placed_since: datetime | None = None
    placed_before: datetime | None = None
    last_name: str | None = None
