"""`AuditLog` over PostgreSQL."""

from __future__ import annotations

from shop.application.transactions.audit import AuditEntry
from shop.infrastructure.postgres.mapping import audit_outcome_to
from shop.infrastructure.postgres.queries import Queries
from shop_db import audit


class PostgresAuditLog:
    """The table `audit_log`, whose trigger refuses every change of an entry."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def append(self, entry: AuditEntry) -> None:
        """Append an entry."""
        await self._query(
            audit.append_audit_entry,
            actor=entry.context.actor.text,
            action=entry.action,
            subject=entry.subject,
            origin=entry.context.origin,
            outcome=audit_outcome_to(entry.outcome),
            metadata=dict(entry.metadata),
            trace_id=entry.context.trace_id,
        )
