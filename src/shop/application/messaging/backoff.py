"""Exponential backoff with jitter."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds that double with each failure up to `longest`, each less a random half at most, so that retries do not coincide."""

    first: float = 0.1
    longest: float = 10.0

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after this number of consecutive failures (from 1)."""
        # The exponent is bounded: after a long outage the power would overflow.
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1)  # noqa: S311 not a secret


DEFAULT_BACKOFF = Backoff()


async def wait_unless(stop: asyncio.Event, seconds: float) -> None:
    """Wait for `seconds`, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
