"""Outages in the log: one line when an outage begins and one when it ends, however many attempts fail in between."""

from __future__ import annotations

import logging


class Outage:
    """The state of a dependency. `lost` and `back` are the two log messages; the reason is appended to the first."""

    def __init__(self, log: logging.Logger, lost: str, back: str) -> None:
        self.is_on = False
        self._log = log
        self._lost = lost
        self._back = back

    def begin(self, reason: object) -> None:
        """Record a failure."""
        self._log.log(logging.DEBUG if self.is_on else logging.WARNING, "%s: %s", self._lost, reason)
        self.is_on = True

    def end(self) -> None:
        """Record a success."""
        if self.is_on:
            self._log.warning("%s", self._back)
        self.is_on = False
