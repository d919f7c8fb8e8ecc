"""`AuditTrail` over PostgreSQL."""

from __future__ import annotations

from shop.application.audit import AuditPage
from shop.infrastructure.postgres.mapping import audit_record_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import audit


class PostgresAuditTrail:
    """Questions about the table `audit_log`, on one connection."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Get the first page of what happened to a subject, or to all, or the one behind `after`. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one entry, not {size}")
        if subject is None:
            rows = await self._query(audit.list_audit_entries, after_id=after, page_size=size + 1)
        else:
            rows = await self._query(audit.list_audit_entries_of_subject, subject=subject, after_id=after, page_size=size + 1)
        records = tuple(audit_record_from(row) for row in rows[:size])
        return AuditPage(records, following=records[-1].id if len(rows) > size else None)
