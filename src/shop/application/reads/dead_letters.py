"""The read repository of dead letters."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
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


class DeadLetterReadRepository(Protocol):
    """Reads the dead letters of the consumers and of the relay."""

    async def newest(self, at_most: int) -> Sequence[DeadLetter]:
        """Return dead letters, newest first."""
        ...

    async def get(self, consumer: str, message_id: uuid.UUID) -> DeadMessage | None:
        """Return a dead letter with its message."""
        ...
