"""`ReadRepositories` on pooled connections, which may be those of a replica."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.reads.audit import PostgresAuditReadRepository
from shop.infrastructure.postgres.reads.dead_letters import PostgresDeadLetterReadRepository
from shop.infrastructure.postgres.reads.orders import PostgresOrderReadRepository
from shop.infrastructure.postgres.reads.users import PostgresUserReadRepository
from shop_db import sign_cursors


def sign_pages(*keys: bytes) -> None:
    """Sign the cursors of generated pages in this process, as `Cursors` does those of the other listings."""
    sign_cursors(*keys)


def read_repositories(pool: Pool) -> OpenReadRepositories:
    """Return the function that opens the read repositories on a connection, without a transaction: each query sees the latest state."""

    @asynccontextmanager
    async def open_repositories() -> AsyncGenerator[ReadRepositories]:
        with translated():
            async with pool.connection() as conn:
                queries = Queries(conn)
                try:
                    yield read_repositories_on(queries)
                finally:
                    queries.close()

    return open_repositories


def read_repositories_on(queries: Queries) -> ReadRepositories:
    """Return the read repositories on one connection."""
    return ReadRepositories(
        PostgresUserReadRepository(queries),
        PostgresOrderReadRepository(queries),
        PostgresAuditReadRepository(queries),
        PostgresDeadLetterReadRepository(queries),
    )
