"""The port of the limit on rates."""

from __future__ import annotations

from typing import Protocol


class RateLimit(Protocol):
    """Limits how often something happens, across all processes."""

    async def hit(self, who: str) -> float | None:
        """Count one more of `who` and return None if the limit allows it, else the seconds to wait. Allows it if it cannot count."""
        ...
