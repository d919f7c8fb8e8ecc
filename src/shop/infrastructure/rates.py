"""`RateLimit` by the library `limits`: in Redis, or in the memory of this process."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from shop.application.cancellation import cancellation_first
from shop.application.outages import Outage

_log = logging.getLogger("shop.rates")

# Seconds to wait for Redis: the limit protects the service, and must not slow it down.
_ANSWER_WITHIN = 0.25
_PAUSE = 1.0


class SlidingWindowRateLimit:
    """So many a minute, by a sliding window. Created by `open_rate_limit`.

    While the store is down everything is allowed, and the store is tried once a second.
    """

    def __init__(self, per_minute: int, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerMinute(per_minute)
        self._outage = Outage(_log, "rates are not limited", "rates are limited again")
        self._clock = clock
        self._paused_until = 0.0

    async def hit(self, who: str) -> float | None:
        """Count one more of `who` and return None if the limit allows it, else the seconds to wait. Allows it if it cannot count."""
        if self._outage.is_on and self._clock() < self._paused_until:
            return None
        try:
            with cancellation_first():
                if await self._limiter.hit(self._item, who):
                    wait = None
                else:
                    stats = await self._limiter.get_window_stats(self._item, who)
                    wait = max(1.0, stats.reset_time - time.time())
        except (StorageError, OSError) as error:
            self._paused_until = self._clock() + _PAUSE
            self._outage.begin(type(error).__name__)
            return None
        self._outage.end()
        return wait


@asynccontextmanager
async def open_rate_limit(name: str, per_minute: int, redis_url: str | None) -> AsyncGenerator[SlidingWindowRateLimit]:
    """Open a limit in Redis, or without a URL in memory, and close its connections at the end. Redis is connected to on first use.

    Limits with different names count apart.
    """
    if redis_url is None:
        yield SlidingWindowRateLimit(per_minute, MemoryStorage())
        return
    pool: ConnectionPool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        redis_url, socket_timeout=_ANSWER_WITHIN, socket_connect_timeout=_ANSWER_WITHIN
    )
    try:
        storage = RedisStorage(
            # Only the library's choice of a client: the pool has the real URL, which the library does not parse without a port.
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=f"shop:{name}",
            connection_pool=pool,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] it is typed as an option of connections
        )
        yield SlidingWindowRateLimit(per_minute, storage)
    finally:
        await pool.aclose()
