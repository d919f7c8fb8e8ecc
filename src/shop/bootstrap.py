"""The composition root: the only module that names concrete adapters."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shop.application.order_commands import OrderCommands
from shop.application.passwords import PasswordHasher
from shop.application.reads import Reads
from shop.application.transactions import Transactions
from shop.application.user_commands import UserCommands
from shop.infrastructure.passwords import Argon2PasswordHasher
from shop.infrastructure.postgres.directories import directories
from shop.infrastructure.postgres.pool import DatabaseNotReady, open_pool
from shop.infrastructure.postgres.unit_of_work import units_of_work

__all__ = ["DatabaseNotReady", "Shop", "open_shop"]


@dataclass(frozen=True, slots=True)
class Shop:
    """The service, ready for use."""

    users: UserCommands
    orders: OrderCommands
    reads: Reads


@asynccontextmanager
async def open_shop(database_url: str, *, passwords: PasswordHasher | None = None) -> AsyncGenerator[Shop]:
    """Compose the service on the database that a libpq URL names. Raises `DatabaseNotReady`."""
    async with open_pool(database_url) as pool:
        transactions = Transactions(units_of_work(pool))
        yield Shop(
            users=UserCommands(transactions, passwords or Argon2PasswordHasher()),
            orders=OrderCommands(transactions),
            reads=Reads(directories(pool)),
        )
