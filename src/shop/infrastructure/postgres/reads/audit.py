"""`AuditReadRepository` over PostgreSQL."""

from __future__ import annotations

from shop.application.reads.audit import AuditPage
from shop.infrastructure.postgres.mapping import audit_record_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import audit


class PostgresAuditReadRepository:
    """Reads the table `audit_log`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Return the first page of the entries of a subject, or of all, or the page after an id. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one entry, not {size}")
        if subject is None:
            rows = await self._query(audit.list_audit_entries, after_id=after, page_size=size + 1)
        else:
            rows = await self._query(audit.list_audit_entries_of_subject, subject=subject, after_id=after, page_size=size + 1)
        records = tuple(audit_record_from(row) for row in rows[:size])
        return AuditPage(records, following=records[-1].id if len(rows) > size else None)
