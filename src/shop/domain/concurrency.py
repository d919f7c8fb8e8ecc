"""What two writers at once mean to the domain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChangedMeanwhile:
    """Somebody else changed this between our reading and our writing; nothing was written. `what` is the kind of thing, as in `order`."""

    what: str
    key: uuid.UUID

    def __str__(self) -> str:
        return f"{self.what} {self.key} was changed by somebody else meanwhile"
