"""A read replica, which is optional: the primary answers where the replica does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shop.application.outages import Outage
from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.application.transactions.failures import StoreDefect, StoreLost, TransactionConflict
from shop.domain.result import Ok

T = TypeVar("T")

_log = logging.getLogger("shop.reads")


class Replica:
    """A replica that may be down, frozen, or behind in its migrations. After a failure it is not asked for `pause` seconds."""

    def __init__(
        self,
        open_repositories: OpenReadRepositories,
        *,
        patience: float = 5.0,
        pause: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open_repositories
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._outage = Outage(_log, "the replica is out of use", "the replica answers again")
        self._paused_until = 0.0

    async def ask(self, question: Callable[[ReadRepositories], Awaitable[T]]) -> Ok[T] | None:
        """Return the replica's answer, or None if the primary has to answer."""
        if self._outage.is_on:
            if self._clock() < self._paused_until:
                return None
            # One call probes the replica, and the others do not wait for it.
            self._paused_until = self._clock() + self._patience + self._pause
        try:
            async with asyncio.timeout(self._patience), self._open() as repositories:
                answer = Ok(await question(repositories))
        except TransactionConflict as conflict:
            # A standby cancels queries that conflict with its replay. That is no outage.
            _log.info("the replica did not answer: %s", conflict)
            return None
        except (StoreLost, StoreDefect, TimeoutError) as lost:
            self._outage.begin(str(lost) or f"no answer within {self._patience:g} s")
            self._paused_until = self._clock() + self._pause
            return None
        self._outage.end()
        return answer
