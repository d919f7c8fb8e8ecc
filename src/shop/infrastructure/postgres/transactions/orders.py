"""`OrderRepository` over PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from psycopg import IntegrityError

from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import NewOrder, Order, OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import OrderId
from shop.infrastructure.postgres.errors import violates
from shop.infrastructure.postgres.mapping import order_from, order_status_to
from shop.infrastructure.postgres.queries import Queries
from shop_db import orders
from shop_db.constraints import OrderConstraint


class PostgresOrderRepository:
    """The tables `orders` and `order_lines`. A method takes one round trip, whatever the number of lines."""

    def __init__(self, queries: Queries, events: CollectedEvents) -> None:
        self._query = queries
        self._events = events

    async def add(self, new: NewOrder) -> Result[Order, UserNotFound]:
        """Place an order."""
        try:
            async with self._query.savepoint():
                row = await self._query(
                    orders.place_order,
                    user_id=new.user_id,
                    currency=new.lines[0].unit_price.currency,
                    skus=[line.sku for line in new.lines],
                    titles=[line.title for line in new.lines],
                    quantities=[line.quantity for line in new.lines],
                    unit_prices_minor=[line.unit_price.minor for line in new.lines],
                )
        except IntegrityError as error:
            if violates(error, OrderConstraint.ORDERS_USER_ID_FKEY):
                return Err(UserNotFound(new.user_id))
            raise
        if row is None:
            return Err(UserNotFound(new.user_id))
        return Ok(self._events.collect(new.placed(OrderId(row.id), row.placed_at)))

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Return the order with this id."""
        rows = await self._query(orders.get_order_with_lines, id=order_id)
        return Ok(order_from(rows)) if rows else Err(OrderNotFound(order_id))

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status and return the order as stored. Writes nothing if `order.version` is not the current version."""
        row = await self._query(orders.set_order_status, id=order.id, version=order.version, status=order_status_to(order.status))
        if row is None:
            read = await self.get(order.id)
            return read if isinstance(read, Err) else Err(ChangedMeanwhile("order", order.id))
        return Ok(replace(self._events.collect(order), updated_at=row.updated_at, version=row.version))
