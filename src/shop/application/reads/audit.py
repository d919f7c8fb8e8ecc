"""The read repository of the audit log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from shop.application.reads.models import AuditRecord
from shop.domain.result import Err, Ok, Result
from shop.domain.values import InvalidValue

_WITH_ID: Final = re.compile(r"(?:user|order|message):[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|login:[0-9a-f]{64}")
_OTHER: Final = re.compile(r"(users|orders|sales|audit_log|messages|consumers)|(consumer|projections):[a-z0-9_-]{1,50}|(seeds):[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. `following` is the id after which the next page starts, None on the last."""

    entries: tuple[AuditRecord, ...]
    following: int | None


@dataclass(frozen=True, slots=True)
class AuditSubject:
    """What entries of the audit log are about."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Result[AuditSubject, InvalidValue]:
        """Return the subject with this text, if any entry could have it."""
        if _WITH_ID.fullmatch(text) is None and _OTHER.fullmatch(text) is None:
            return Err(
                InvalidValue(
                    "subject", "is not of the form user:<id>, order:<id>, message:<id> or login:<digest>, and no other one of the log"
                )
            )
        return Ok(cls(text))

    @property
    def recorded(self) -> str:
        """The subject as entries may have it that record a question: names are any text of who asks, so of those only the kind."""
        other = _OTHER.fullmatch(self.text)
        return self.text if other is None else next(kind for kind in other.groups() if kind is not None)


class AuditReadRepository(Protocol):
    """Reads the audit log."""

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Return the first page of the entries of a subject, or of all, or the page after an id. Raises ValueError for a size below 1."""
        ...
