"""Orders: the aggregate of an order and its lines, how it moves through its states, and the repository that keeps it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.money import Money
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import InvalidValue, UserId

OrderId = NewType("OrderId", uuid.UUID)


class OrderStatus(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


# What may follow what. A shipped order is out of our hands, and a cancelled one is over.
_FOLLOWING: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}

# --- What is ordered --------------------------------------------------------------------------------------------------

_SKU = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)*")
_SKU_LENGTH = 40
_TITLE_LENGTH = 200
_QUANTITIES = range(1, 1001)
# So that no order, of most lines and quantities, exceeds its column.
_HIGHEST_PRICE = 10**9
MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many of one article, at the price of that moment."""

    sku: str
    title: str
    quantity: int
    unit_price: Money

    def __post_init__(self) -> None:
        invalid = _check_line(self.sku, self.title, self.quantity, self.unit_price)
        if invalid is not None:
            raise ValueError(str(invalid))

    @classmethod
    def parse(cls, sku: str, title: str, quantity: int, unit_price: Money) -> Result[OrderLine, InvalidValue]:
        """Read a line that a person gave."""
        sku, title = sku.strip().upper(), title.strip()
        invalid = _check_line(sku, title, quantity, unit_price)
        return Ok(cls(sku, title, quantity, unit_price)) if invalid is None else Err(invalid)

    @property
    def total(self) -> Money:
        """The price of all of them."""
        return self.unit_price.times(self.quantity)


def _check_line(sku: str, title: str, quantity: int, unit_price: Money) -> InvalidValue | None:
    if len(sku) > _SKU_LENGTH or _SKU.fullmatch(sku) is None:
        return InvalidValue("SKU", f"is not made of capital letters, digits and single dashes, at most {_SKU_LENGTH}")
    if not title or title != title.strip() or len(title) > _TITLE_LENGTH or not title.isprintable():
        return InvalidValue("title", f"is not one line of 1 to {_TITLE_LENGTH} characters")
    if quantity not in _QUANTITIES:
        return InvalidValue("quantity", f"is not between {_QUANTITIES.start} and {_QUANTITIES.stop - 1}")
    if unit_price.minor > _HIGHEST_PRICE:
        return InvalidValue("price", f"is above {Money(_HIGHEST_PRICE, unit_price.currency)}")
    return None


@dataclass(frozen=True, slots=True)
class UnacceptableOrder:
    """An order that the shop takes from nobody; `reason` says why."""

    reason: str

    def __str__(self) -> str:
        return f"the order {self.reason}"


def _check_lines(lines: tuple[OrderLine, ...]) -> UnacceptableOrder | None:
    if not lines:
        return UnacceptableOrder("has no lines")
    if len(lines) > MOST_LINES:
        return UnacceptableOrder(f"has more than {MOST_LINES} lines")
    if len({line.unit_price.currency for line in lines}) > 1:
        return UnacceptableOrder("mixes currencies")
    return None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that is about to be placed: all but what the placing gives, which is an id and a time."""

    user_id: UserId
    lines: tuple[OrderLine, ...]

    def __post_init__(self) -> None:
        _raise_if(_check_lines(self.lines))

    @classmethod
    def of(cls, user_id: UserId, lines: Iterable[OrderLine]) -> Result[NewOrder, UnacceptableOrder]:
        """Make an order of what a user wants."""
        kept = tuple(lines)
        unacceptable = _check_lines(kept)
        return Ok(cls(user_id, kept)) if unacceptable is None else Err(unacceptable)


# --- The order --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WrongStatus:
    """The order is in a status from which it cannot go where it was told to."""

    order_id: OrderId
    status: OrderStatus
    wanted: OrderStatus

    def __str__(self) -> str:
        return f"order {self.order_id} is {self.status} and cannot become {self.wanted}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was placed. Both times have a time zone; `version` grows with each change."""

    id: OrderId
    user_id: UserId
    lines: tuple[OrderLine, ...]
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime
    version: int

    def __post_init__(self) -> None:
        _raise_if(_check_lines(self.lines))

    @property
    def total(self) -> Money:
        """What the order costs."""
        return Money.total(line.total for line in self.lines)

    def pay(self) -> Result[Order, WrongStatus]:
        """Give the order as it is once it is paid."""
        return self._become(OrderStatus.PAID)

    def ship(self) -> Result[Order, WrongStatus]:
        """Give the order as it is once it is shipped."""
        return self._become(OrderStatus.SHIPPED)

    def cancel(self) -> Result[Order, WrongStatus]:
        """Give the order as it is once it is cancelled."""
        return self._become(OrderStatus.CANCELLED)

    def _become(self, status: OrderStatus) -> Result[Order, WrongStatus]:
        if status not in _FOLLOWING[self.status]:
            return Err(WrongStatus(self.id, self.status, status))
        return Ok(replace(self, status=status))


@dataclass(frozen=True, slots=True)
class OrderNotFound:
    """No order has this id."""

    order_id: OrderId

    def __str__(self) -> str:
        return f"there is no order {self.order_id}"


class OrderRepository(Protocol):
    """Keeps orders, each with its lines. It takes part in its caller's transaction, which is as usable after an `Err` as before."""

    async def add(self, new: NewOrder) -> Result[Order, UserNotFound]:
        """Place an order."""
        ...

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Get an order."""
        ...

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status, and get the order as it is then. Nothing is written where `order.version` is not the current one."""
        ...


def _raise_if(unacceptable: UnacceptableOrder | None) -> None:
    if unacceptable is not None:
        raise ValueError(str(unacceptable))
