"""The port of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shop.application.context import Context


class AuditOutcome(StrEnum):
    """The result of an action."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which subject, with which outcome. `metadata` contains no secrets."""

    context: Context
    action: str
    subject: str
    outcome: AuditOutcome
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class AuditLog(Protocol):
    """Append-only audit log, written in its caller's transaction."""

    async def append(self, entry: AuditEntry) -> None:
        """Append an entry."""
        ...
