"""Orders: the aggregate of an order and its lines, its state machine, and its repository."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from shop.domain.aggregate import Aggregate
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped
from shop.domain.money import Money
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import InvalidValue, OrderId, UserId


class OrderStatus(StrEnum):
    """The state of an order."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


# Allowed transitions. Shipped and cancelled are final.
_TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}

# --- Order lines ------------------------------------------------------------------------------------------------------

_SKU = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)*")
SKU_LENGTH: Final = 40
TITLE_LENGTH: Final = 200
QUANTITIES: Final = range(1, 1001)
# Keeps the total of the largest order within its column.
MAX_PRICE: Final = 10**9
MAX_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A quantity of one article, at its price when it was ordered."""

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
        """Parse a line from user input."""
        sku, title = sku.strip().upper(), title.strip()
        invalid = _check_line(sku, title, quantity, unit_price)
        return Ok(cls(sku, title, quantity, unit_price)) if invalid is None else Err(invalid)

    @property
    def total(self) -> Money:
        """The price of the line."""
        return self.unit_price.times(self.quantity)


def _check_line(sku: str, title: str, quantity: int, unit_price: Money) -> InvalidValue | None:
    if len(sku) > SKU_LENGTH or _SKU.fullmatch(sku) is None:
        return InvalidValue("SKU", f"is not made of capital letters, digits and single dashes, at most {SKU_LENGTH}")
    if not title or title != title.strip() or len(title) > TITLE_LENGTH or not title.isprintable():
        return InvalidValue("title", f"is not one line of 1 to {TITLE_LENGTH} characters")
    if quantity not in QUANTITIES:
        return InvalidValue("quantity", f"is not between {QUANTITIES.start} and {QUANTITIES.stop - 1}")
    if unit_price.minor > MAX_PRICE:
        return InvalidValue("price", f"is above {Money(MAX_PRICE, unit_price.currency)}")
    return None


@dataclass(frozen=True, slots=True)
class UnacceptableOrder:
    """An order that the shop does not accept; `reason` says why."""

    reason: str

    def __str__(self) -> str:
        return f"the order {self.reason}"


def _check_lines(lines: tuple[OrderLine, ...]) -> UnacceptableOrder | None:
    if not lines:
        return UnacceptableOrder("has no lines")
    if len(lines) > MAX_LINES:
        return UnacceptableOrder(f"has more than {MAX_LINES} lines")
    if len({line.unit_price.currency for line in lines}) > 1:
        return UnacceptableOrder("mixes currencies")
    return None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place, which has no id yet."""

    user_id: UserId
    lines: tuple[OrderLine, ...]

    def __post_init__(self) -> None:
        _raise_if(_check_lines(self.lines))

    @classmethod
    def of(cls, user_id: UserId, lines: Iterable[OrderLine]) -> Result[NewOrder, UnacceptableOrder]:
        """Check the lines of an order."""
        kept = tuple(lines)
        unacceptable = _check_lines(kept)
        return Ok(cls(user_id, kept)) if unacceptable is None else Err(unacceptable)

    def placed(self, order_id: OrderId, at: datetime) -> Order:
        """Return the placed order, which raises `OrderPlaced`."""
        event = OrderPlaced(order_id, self.user_id, Money.total(line.total for line in self.lines))
        return Order(order_id, self.user_id, self.lines, OrderStatus.PLACED, placed_at=at, updated_at=at, version=1, events=(event,))


# --- The order --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WrongStatus:
    """The transition from this status to the wanted one is not allowed."""

    order_id: OrderId
    status: OrderStatus
    wanted: OrderStatus

    def __str__(self) -> str:
        return f"order {self.order_id} is {self.status} and cannot become {self.wanted}"


@dataclass(frozen=True, slots=True)
class Order(Aggregate):
    """A placed order. Each change raises `version`."""

    id: OrderId
    user_id: UserId
    lines: tuple[OrderLine, ...]
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime
    version: int

    def __post_init__(self) -> None:
        _raise_if(_check_lines(self.lines))

    def expect_version(self, versions: Versions) -> Result[Order, ChangedMeanwhile]:
        """Return the order if its version is one of these, or if any version will do (None)."""
        return Ok(self) if versions is None or self.version in versions else Err(ChangedMeanwhile("order", self.id))

    @property
    def total(self) -> Money:
        """The price of the order."""
        return Money.total(line.total for line in self.lines)

    def pay(self) -> Result[Order, WrongStatus]:
        """Return the paid order, which raises `OrderPaid`."""
        return self._become(OrderStatus.PAID, OrderPaid(self.id, self.user_id, self.total))

    def ship(self) -> Result[Order, WrongStatus]:
        """Return the shipped order, which raises `OrderShipped`."""
        return self._become(OrderStatus.SHIPPED, OrderShipped(self.id, self.user_id))

    def cancel(self) -> Result[Order, WrongStatus]:
        """Return the cancelled order, which raises `OrderCancelled`; if it was paid, the total is to be refunded."""
        refund = self.total if self.status is OrderStatus.PAID else None
        return self._become(OrderStatus.CANCELLED, OrderCancelled(self.id, self.user_id, refund))

    def _become(self, status: OrderStatus, event: Event) -> Result[Order, WrongStatus]:
        if status not in _TRANSITIONS[self.status]:
            return Err(WrongStatus(self.id, self.status, status))
        return Ok(replace(self, status=status, events=(*self.events, event)))


@dataclass(frozen=True, slots=True)
class OrderNotFound:
    """No order has this id."""

    order_id: OrderId

    def __str__(self) -> str:
        return f"there is no order {self.order_id}"


class OrderRepository(Protocol):
    """Stores orders with their lines, in its caller's transaction, which remains usable after an `Err`.

    A write collects the events of its order and returns the order without them.
    """

    async def add(self, new: NewOrder) -> Result[Order, UserNotFound]:
        """Place an order."""
        ...

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Return the order with this id."""
        ...

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status and return the order as stored. Writes nothing if `order.version` is not the current version."""
        ...


def _raise_if(unacceptable: UnacceptableOrder | None) -> None:
    if unacceptable is not None:
        raise ValueError(str(unacceptable))
