"""The audit trail: the port that writes it, and the port that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shop.application.context import Context
from shop.application.read_models import AuditOutcome, AuditRecord


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to whom, and how it went. `metadata` never holds a secret."""

    context: Context
    action: str
    subject: str
    outcome: AuditOutcome
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class AuditLog(Protocol):
    """Keeps audit entries for good. It takes part in its caller's transaction."""

    async def append(self, entry: AuditEntry) -> None:
        """Append an entry."""
        ...


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. `following` is the id behind which the next page starts, None on the last."""

    entries: tuple[AuditRecord, ...]
    following: int | None


class AuditTrail(Protocol):
    """Answers what happened."""

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Get the first page of what happened to a subject, or to all, or the one behind `after`. Raises ValueError for a size below 1."""
        ...
