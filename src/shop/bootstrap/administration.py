"""What the owner of the database does."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg import AsyncConnection

from shop.application.context import Context
from shop.infrastructure.postgres.administration.audit_partitions import MaintainedPartitions, maintain_partitions
from shop.infrastructure.postgres.administration.owner import NotTheOwner, owner_transaction
from shop.infrastructure.postgres.administration.rights import grant_rights
from shop.infrastructure.postgres.pool import DatabaseNotReady
from shop.infrastructure.settings.model import Settings

__all__ = ["DatabaseNotReady", "NotTheOwner", "grant_to", "maintain_audit_log"]


async def grant_to(settings: Settings, role: str) -> bool:
    """Let a role have exactly the rights of the service, and return whether it was created. Raises as `owner_transaction` does."""
    async with _transaction(settings) as conn:
        return await grant_rights(conn, role)


async def maintain_audit_log(settings: Settings, context: Context) -> MaintainedPartitions:
    """Create the next partitions of the audit log, and drop those past the retention. Raises as `owner_transaction` does."""
    async with _transaction(settings) as conn:
        return await maintain_partitions(conn, context, settings.audit_retention_months or None)


def _transaction(settings: Settings) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
    return owner_transaction(settings.database_url.get_secret_value(), settings.use_case_timeout)
