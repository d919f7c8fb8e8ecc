"""Optimistic locking, as the domain sees it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

Versions: TypeAlias = Collection[int] | None
"""The versions that a decision may be based on; None stands for any."""


@dataclass(frozen=True, slots=True)
class ChangedMeanwhile:
    """Another writer changed this after it was read; nothing was written. `what` is the kind of aggregate, as in `order`."""

    what: str
    key: uuid.UUID

    def __str__(self) -> str:
        return f"{self.what} {self.key} was changed by another writer in the meantime"
