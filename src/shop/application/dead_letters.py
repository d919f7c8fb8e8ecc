"""The port that tells of messages that were given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shop.application.read_models import DeadMessage


class DeadLetters(Protocol):
    """Answers which messages were given up, by their consumers and by the relay."""

    async def newest(self, at_most: int) -> Sequence[DeadMessage]:
        """List them, newest first."""
        ...
