"""Outages in the log: a line where one begins and a line where it ends, however often it was tried in between."""

from __future__ import annotations

import logging


class Outage:
    """Whether something is out of reach. `lost` and `back` are the two lines; the first goes on with the reason."""

    def __init__(self, log: logging.Logger, lost: str, back: str) -> None:
        self.is_on = False
        self._log = log
        self._lost = lost
        self._back = back

    def begin(self, reason: object) -> None:
        """Note that it did not answer."""
        self._log.log(logging.DEBUG if self.is_on else logging.WARNING, "%s: %s", self._lost, reason)
        self.is_on = True

    def end(self) -> None:
        """Note that it answered."""
        if self.is_on:
            self._log.warning("%s", self._back)
        self.is_on = False
