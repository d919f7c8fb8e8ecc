"""`Erasures` in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shop.application.commands.pruning import DueErasure, Erased
from shop.domain.values import UserId


class MemoryErasures:
    """Nothing is left to erase: the adapters in memory keep no traces apart from the users."""

    async def due(self, after: DueErasure | None, at_most: int) -> Sequence[DueErasure]:  # noqa: ARG002 - nobody is left
        """Return the erasures that are due, oldest first, after this one."""
        return ()

    async def is_due(self, user_id: UserId) -> bool:  # noqa: ARG002 - nobody is left
        """Return whether the erasure of a user is due."""
        return False

    async def erase(self, user_id: UserId, at_most: int) -> Erased:  # noqa: ARG002 - nobody is left
        """Erase the next traces of a user whose erasure is due, of at most this number of traces."""
        return Erased.NOTHING

    async def forget(self, before: datetime, at_most: int) -> int:  # noqa: ARG002 - nobody is left
        """Forget the addresses of users who were erased before this time, oldest first, and return of how many."""
        return 0
