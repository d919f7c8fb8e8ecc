"""`RateLimit` by the library `limits`: in Redis, or in the memory of this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from shop.application.cancellation import cancellation_first
from shop.application.outages import Outage

_log = logging.getLogger("shop.rates")

# Seconds to wait for Redis: the limit protects the service, and must not slow it down.
_ANSWER_WITHIN = 0.25
_PAUSE = 1.0


class SlidingWindowRateLimit:
    """So many a minute, by a sliding window. While the store is down everything is allowed, and the store is tried once a second."""

    def __init__(self, per_minute: int, redis_url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        storage: Storage = MemoryStorage() if redis_url is None else _redis(redis_url)
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


def _redis(url: str) -> RedisStorage:
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="shop:rate",
        socket_timeout=_ANSWER_WITHIN,
        socket_connect_timeout=_ANSWER_WITHIN,
    )
