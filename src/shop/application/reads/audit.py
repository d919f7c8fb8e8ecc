"""The read repository of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shop.application.reads.models import AuditRecord


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. `following` is the id after which the next page starts, None on the last."""

    entries: tuple[AuditRecord, ...]
    following: int | None


class AuditReadRepository(Protocol):
    """Reads the audit log."""

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Return the first page of the entries of a subject, or of all, or the page after an id. Raises ValueError for a size below 1."""
        ...
