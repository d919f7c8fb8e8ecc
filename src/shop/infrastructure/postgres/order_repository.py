"""`OrderRepository` over PostgreSQL."""

from __future__ import annotations

from psycopg import IntegrityError

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import NewOrder, Order, OrderId, OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.infrastructure.postgres.errors import violates
from shop.infrastructure.postgres.mapping import order_from, order_status_to, placed_order_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import orders
from shop_db.constraints import OrderConstraint


class PostgresOrderRepository:
    """Orders in the tables `orders` and `order_lines`: one round trip for each method, whatever the number of lines."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

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
        return Ok(placed_order_from(row, new.lines))

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Get an order."""
        rows = await self._query(orders.get_order_with_lines, id=order_id)
        return Ok(order_from(rows)) if rows else Err(OrderNotFound(order_id))

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status, and get the order as it is then. Nothing is written where `order.version` is not the current one."""
        row = await self._query(orders.set_order_status, id=order.id, version=order.version, status=order_status_to(order.status))
        if row is None:
            found = await self.get(order.id)
            return found if isinstance(found, Err) else Err(ChangedMeanwhile("order", order.id))
        return Ok(
            Order(
                id=order.id,
                user_id=order.user_id,
                lines=order.lines,
                status=order.status,
                placed_at=order.placed_at,
                updated_at=row.updated_at,
                version=row.version,
            )
        )
