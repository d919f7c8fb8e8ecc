"""The read side on pooled connections, which may be those of a replica."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shop.application.reads import Directories, OpenDirectories
from shop.infrastructure.postgres.audit_trail import PostgresAuditTrail
from shop.infrastructure.postgres.errors import translated
from shop.infrastructure.postgres.order_directory import PostgresOrderDirectory
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.settled_messages import PostgresDeadLetters
from shop.infrastructure.postgres.user_directory import PostgresUserDirectory


def directories(pool: Pool) -> OpenDirectories:
    """Give what opens the read side: each time on a connection, in no transaction, so that each question sees the newest state."""

    @asynccontextmanager
    async def open_directories() -> AsyncGenerator[Directories]:
        with translated():
            async with pool.connection() as conn:
                queries = Queries(conn)
                try:
                    yield directories_on(queries)
                finally:
                    queries.close()

    return open_directories


def directories_on(queries: Queries) -> Directories:
    """Give the read side on one connection."""
    return Directories(
        PostgresUserDirectory(queries), PostgresOrderDirectory(queries), PostgresAuditTrail(queries), PostgresDeadLetters(queries)
    )
