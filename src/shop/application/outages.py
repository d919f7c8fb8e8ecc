"""Outages in the log: one line when an outage begins and one when it ends, however many attempts fail in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

SETTLED: Final = 10.0
"""Seconds without a failure after which what may fail in part, such as writes to a full disk, counts as repaired."""


class Outage:
    """The state of a dependency. `lost` and `back` are the two log messages; the reason is appended to the first.

    `is_on` is whether the last attempt failed. The end is logged by the first success that is `settled` seconds after the last failure:
    where some attempts succeed during an outage, each of them would seem to end it.
    """

    def __init__(
        self, log: logging.Logger, lost: str, back: str, *, settled: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_on = False
        self._log = log
        self._lost = lost
        self._back = back
        self._settled = settled
        self._clock = clock
        self._is_logged = False
        self._failed_at = 0.0

    def begin(self, reason: object) -> None:
        """Record a failure."""
        self._log.log(logging.DEBUG if self._is_logged else logging.WARNING, "%s: %s", self._lost, reason)
        self._is_logged = self.is_on = True
        self._failed_at = self._clock()

    def end(self) -> None:
        """Record a success."""
        self.is_on = False
        if self._is_logged and self._clock() - self._failed_at >= self._settled:
            self._log.warning("%s", self._back)
            self._is_logged = False
