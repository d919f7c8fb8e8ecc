"""`Erasures` in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shop.domain.values import UserId


class MemoryErasures:
    """Nothing is left to erase: the adapters in memory keep no traces apart from the users."""

    async def due(self) -> Sequence[UserId]:
        """Return those who were erased so long ago that no request of before is in flight, oldest first, unless they are finished."""
        return ()

    async def finish(self, user_id: UserId) -> bool:  # noqa: ARG002 - nobody is left
        """Erase the traces of one of them once more, which is the end of it, and return whether it was due."""
        return False
