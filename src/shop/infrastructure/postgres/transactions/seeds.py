"""`SeedRepository` over PostgreSQL."""

from __future__ import annotations

from psycopg import IntegrityError

from shop.application.commands.seed_data import SeedBatch
from shop.application.transactions.failures import TransactionConflict
from shop.domain.orders import Order
from shop.infrastructure.postgres.errors import violates
from shop.infrastructure.postgres.mapping import order_status_to, seed_params_of
from shop.infrastructure.postgres.queries import Queries
from shop_db import orders, users
from shop_db.constraints import UserConstraint


class PostgresSeedRepository:
    """Writes each batch with one COPY per table."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def add(self, batch: SeedBatch) -> int:
        """Write a batch and return the number of new users. Users whose id or address exists are left out, with their orders."""
        existing = {row.id for row in await self._query(users.get_public_profiles, ids=[user.id for user in batch.users])}
        addresses = {user.profile.email.text.lower(): user.id for user in batch.users}
        existing |= {addresses[email] for email in await self._query(users.get_taken_emails, lower_emails=list(addresses))}
        new = [user for user in batch.users if user.id not in existing]
        placed = [order for order in batch.orders if order.user_id not in existing]
        try:
            await self._query(users.seed_users, map(seed_params_of, new))
        except IntegrityError as error:
            if violates(error, UserConstraint.USERS_EMAIL_KEY):
                raise TransactionConflict("an address was taken in the meantime") from None
            raise
        await self._query(orders.seed_orders, map(_order_to, placed))
        await self._query(orders.seed_order_lines, (line for order in placed for line in _lines_to(order)))
        return len(new)


def _order_to(order: Order) -> orders.SeedOrdersParams:
    total = order.total
    return orders.SeedOrdersParams(
        id=order.id,
        user_id=order.user_id,
        status=order_status_to(order.status),
        currency=total.currency,
        total_minor=total.minor,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )


def _lines_to(order: Order) -> list[orders.SeedOrderLinesParams]:
    return [
        orders.SeedOrderLinesParams(
            order_id=order.id,
            line_number=number,
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price_minor=line.unit_price.minor,
        )
        for number, line in enumerate(order.lines, start=1)
    ]
