"""The read repository of dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shop.application.reads.models import DeadLetter


class DeadLetterReadRepository(Protocol):
    """Reads the dead letters of the consumers and of the relay."""

    async def newest(self, at_most: int) -> Sequence[DeadLetter]:
        """Return dead letters, newest first."""
        ...
