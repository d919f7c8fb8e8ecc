"""The composition root: the only module that names concrete adapters."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from shop.application.passwords import PasswordHasher
from shop.application.user_directory import UserDirectory
from shop.domain.users import UserRepository
from shop.infrastructure.passwords import Argon2PasswordHasher
from shop.infrastructure.postgres.pool import DatabaseNotReady, open_pool
from shop.infrastructure.postgres.user_directory import PostgresUserDirectory
from shop.infrastructure.postgres.user_repository import PostgresUserRepository

__all__ = ["DatabaseNotReady", "Shop", "Transaction", "open_shop"]


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one database transaction works with: everything in here sees and writes the same state."""

    users: UserRepository
    directory: UserDirectory


@dataclass(frozen=True, slots=True)
class Shop:
    """The service, ready for use: `async with shop.transaction() as tx` commits at the end of the block, and rolls back if it raises."""

    transaction: Callable[[], AbstractAsyncContextManager[Transaction]]
    passwords: PasswordHasher


@asynccontextmanager
async def open_shop(database_url: str) -> AsyncGenerator[Shop, None]:
    """Compose the service on the database that a libpq URL names. Raises `DatabaseNotReady`."""
    async with open_pool(database_url) as pool:

        @asynccontextmanager
        async def transaction() -> AsyncGenerator[Transaction, None]:
            async with pool.connection() as conn, conn.transaction():
                yield Transaction(users=PostgresUserRepository(conn), directory=PostgresUserDirectory(conn))

        yield Shop(transaction=transaction, passwords=Argon2PasswordHasher())
