"""The read repository of dead letters."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from shop.application.reads.models import DeadLetter, DeadMessage

RELAY: Final = "relay"
"""What stands in the place of the consumer if the broker refused a message."""


@dataclass(frozen=True, slots=True)
class DeadLetterNotFound:
    """The consumer has no such dead letter."""

    consumer: str
    message_id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.consumer} has no dead letter {self.message_id}"


@dataclass(frozen=True, slots=True)
class DeadLetterKey:
    """The sort key of the last dead letter of a page: its time, consumer and message."""

    dead_at: datetime
    consumer: str
    message_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Dead letters, newest first. `following` is the key of the next page, None on the last."""

    letters: tuple[DeadLetter, ...]
    following: DeadLetterKey | None


class DeadLetterReadRepository(Protocol):
    """Reads the dead letters of the consumers and of the relay."""

    async def page(self, size: int, after: DeadLetterKey | None = None) -> DeadLetterPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1."""
        ...

    async def get(self, consumer: str, message_id: uuid.UUID) -> DeadMessage | None:
        """Return a dead letter with its message."""
        ...
