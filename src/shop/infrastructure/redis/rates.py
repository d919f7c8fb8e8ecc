"""`RateLimit` over Redis, by the library `limits`, and in the memory of this process.

The library and the client of Redis are imported by what uses them: without Redis there is no need for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from shop.application.cancellation import cancellation_first
from shop.application.outages import SETTLED, Outage

if TYPE_CHECKING:
    from limits.aio.storage import Storage

T = TypeVar("T")

_log = logging.getLogger("shop.rates")

# Seconds to wait for Redis: the limit protects the service, and must not slow it down.
_ANSWER_WITHIN: Final = 0.25
# So many times the event loop looks for the answer before it is late, however long the loop itself takes.
_LOOKS: Final = 25
_PAUSE: Final = 1.0
_MINUTE: Final = 60.0
_LEAST_WAIT: Final = 1.0
# So many a process counts by itself, in some megabytes. Whoever has more addresses is not stopped by a limit for each.
_MOST: Final = 100_000
# What a limit asks Redis at the same time. More wait for their turn: a pool without a free connection would be an error.
_AT_ONCE: Final = 50


class SlidingWindowRateLimit:
    """So many a minute, by a sliding window. Created by `open_rate_limit`.

    This process always counts what it allowed, too: while the store is down, and if it has lost its data, no more is allowed than without
    the store. A store that is down is tried once a second.
    """

    def __init__(self, per_minute: int, storage: Storage | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = None if storage is None else _SharedCount(per_minute, storage)
        self._own = _OwnCount(per_minute, clock)
        lost, back = "rates are limited by each process alone", "rates are limited by all processes together again"
        self._outage = Outage(_log, lost, back, settled=SETTLED, clock=clock)
        self._clock = clock
        self._paused_until = 0.0
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def hit(self, who: str) -> float | None:
        """Count one more of `who` and return None if the limit allows it, else the seconds to wait."""
        wait = self._own.hit(who)
        if wait is not None or self._shared is None:
            return wait
        from limits.errors import StorageError

        async with self._asking:
            if self._outage.is_on and self._clock() < self._paused_until:
                return None
            try:
                with cancellation_first():
                    wait = await _answer(self._shared.hit(who))
            except (StorageError, OSError) as error:
                self._paused_until = self._clock() + _PAUSE
                self._outage.begin(type(error).__name__)
                return None
            self._outage.end()
        if wait is not None:
            self._own.take_back(who)
        return wait


class _SharedCount:
    """What all processes have allowed, by a storage of the library."""

    def __init__(self, per_minute: int, storage: Storage) -> None:
        from limits import RateLimitItemPerMinute
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerMinute(per_minute)

    async def hit(self, who: str) -> float | None:
        if await self._limiter.hit(self._item, who):
            return None
        stats = await self._limiter.get_window_stats(self._item, who)
        return max(_LEAST_WAIT, stats.reset_time - time.time())


class _OwnCount:
    """What this process has allowed in this minute and in the one before, which counts by the part of it that the window still has.

    The library's storage in memory is not used, since it iterates over all of its keys whenever it counts.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._minute = 0.0
        self._before = dict[str, int]()
        self._now = dict[str, int]()

    def hit(self, who: str) -> float | None:
        minute, elapsed = divmod(self._clock(), _MINUTE)
        if minute != self._minute:
            self._before = self._now if minute == self._minute + 1 else {}
            self._minute, self._now = minute, {}
        before, now = self._before.get(who, 0), self._now.get(who, 0)
        if now + int(before * (1 - elapsed / _MINUTE)) < self._per_minute:
            if who not in self._now and len(self._now) >= _MOST:
                del self._now[next(iter(self._now))]
            self._now[who] = now + 1
            return None
        # In the next minute, what was allowed in this one counts a little less with every second.
        ends = _MINUTE if now >= self._per_minute else _MINUTE * (1 - (self._per_minute - now) / before)
        return max(_LEAST_WAIT, ends - elapsed)

    def take_back(self, who: str) -> None:
        if self._now.get(who):
            self._now[who] -= 1


async def _answer(question: Coroutine[Any, Any, T]) -> T:
    """Return the answer. Raises `TimeoutError` if it is late, but not if only this process is slow."""
    task = asyncio.create_task(question)
    try:
        for _ in range(_LOOKS):
            # A timeout of the whole would also end where an answer has arrived that a busy loop has not read yet.
            done, _ = await asyncio.wait([task], timeout=_ANSWER_WITHIN / _LOOKS)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def open_rate_limit(
    name: str, per_minute: int, redis_url: str | None, clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[SlidingWindowRateLimit]:
    """Open a limit in Redis, or without a URL in memory, and close its connections at the end. Redis is connected to on first use.

    Limits with different names count apart.
    """
    if redis_url is None:
        yield SlidingWindowRateLimit(per_minute, None, clock)
        return
    from limits.aio.storage import RedisStorage

    from shop.infrastructure.redis.connection import open_pool

    # Without timeouts of its own: they would count the delays of this process.
    async with open_pool(redis_url, answer_within=None, retries=0) as pool:
        storage = RedisStorage(
            # Only the library's choice of a client: the pool has the real URL, which the library does not parse without a port.
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=f"shop:{name}",
            connection_pool=pool,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] it is typed as an option of connections
        )
        yield SlidingWindowRateLimit(per_minute, storage, clock)
