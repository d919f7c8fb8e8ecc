"""`Seeds` over PostgreSQL."""

from __future__ import annotations

from shop.application.seeding import SeedBatch
from shop.domain.money import Currency
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop_db import orders, users


class PostgresSeeds:
    """Three statements for each batch, whatever its size."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(self, batch: SeedBatch) -> int:
        """Write a batch in one transaction, and give how many users were new. Raises `StoreLost` or `TransactionConflict`."""
        with translated():
            async with self._pool.connection() as conn, conn.transaction():
                return await _write(Queries(conn), batch)


async def _write(query: Queries, batch: SeedBatch) -> int:
    if not batch.users:
        return 0
    new = await query(
        users.seed_users,
        ids=[user.id for user in batch.users],
        first_names=[user.profile.name.first for user in batch.users],
        last_names=[user.profile.name.last for user in batch.users],
        emails=[user.profile.email.text for user in batch.users],
        phones=[None if user.profile.phone is None else user.profile.phone.text for user in batch.users],
        password=batch.users[0].password.encoded,
        created_at=[user.created_at for user in batch.users],
    )
    await query(
        orders.seed_orders,
        ids=[order.id for order in batch.orders],
        user_ids=[order.user_id for order in batch.orders],
        statuses=[order.status.value for order in batch.orders],
        currency=Currency.EUR,
        totals_minor=[order.total.minor for order in batch.orders],
        placed_at=[order.placed_at for order in batch.orders],
    )
    lines = [(order.id, number, line) for order in batch.orders for number, line in enumerate(order.lines, start=1)]
    await query(
        orders.seed_order_lines,
        order_ids=[order_id for order_id, _, _ in lines],
        line_numbers=[number for _, number, _ in lines],
        skus=[line.sku for _, _, line in lines],
        titles=[line.title for _, _, line in lines],
        quantities=[line.quantity for _, _, line in lines],
        unit_prices_minor=[line.unit_price.minor for _, _, line in lines],
    )
    return new
