"""How long to wait before trying again."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure, up to the longest; chance takes up to half of each, so that many do not come back at once."""

    first: float = 0.1
    longest: float = 10.0

    def wait(self, failures: int) -> float:
        """Give the seconds to wait after so many failures in a row (from 1)."""
        # The exponent is bounded: after a long outage the power alone would overflow.
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1)  # noqa: S311 no secret hangs on it


DEFAULT_BACKOFF = Backoff()


async def wait_unless(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
