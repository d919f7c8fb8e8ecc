"""A breaker before the cache: nobody waits for a store that does not answer, and what it missed it gets before it is read again."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shop.application.cache import CacheStore, CacheUnavailable, Lease, Lookup
from shop.application.outages import Outage

T = TypeVar("T")

_log = logging.getLogger("shop.cache")

_PROBE = "shop:probe"


class CacheBreaker:
    """A `CacheStore` that raises `CacheUnavailable` at once while the store behind it is left alone.

    After a failure that is for `pause` seconds; then one call tries the store again, and the others still do not wait for it. It first
    makes up for the invalidations that the store missed. None is kept for longer than `lifetime`, in which every value and every lease
    of before it has ended by itself. A line is logged when the store is lost, and one when it is back.
    """

    def __init__(self, store: CacheStore, *, lifetime: float, pause: float = 1.0) -> None:
        self._store = store
        self._pause = pause
        self._lifetime = lifetime
        self._outage = Outage(_log, "the cache does not answer, and is left alone", "the cache answers again")
        self._is_tried = False
        self._closed_until = 0.0
        # By the time of the invalidation, the oldest first.
        self._missed: dict[str, float] = {}

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Get the value, or the right to fill it in."""
        return await self._call(lambda: self._store.look_up(key, lease_seconds))

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Keep a value, if the lease still holds, and return whether it did."""
        return await self._call(lambda: self._store.fill(key, lease, value, seconds))

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        await self._call(lambda: self._store.release(key, lease))

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Forget the values of these keys, and end their leases: now, or before the store is next read, where this raises."""
        is_done = False
        try:
            await self._call(lambda: self._store.invalidate(keys))
            is_done = True
        finally:
            # Also where it was cancelled: then nobody knows whether the store has done it.
            if not is_done:
                self._miss(keys)

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._outage.is_on or self._missed:
            await self._try_again()
        try:
            return await call()
        except CacheUnavailable as error:
            self._open(error)
            raise

    async def _try_again(self) -> None:
        if self._is_tried or time.monotonic() < self._closed_until:
            raise CacheUnavailable("it did not answer a moment ago")
        self._is_tried = True
        try:
            await self._make_up()
        except CacheUnavailable as error:
            self._open(error)
            raise
        finally:
            self._is_tried = False
        self._outage.end()

    async def _make_up(self) -> None:
        while True:
            told = dict(self._missed)
            await self._store.invalidate([_PROBE, *told])
            for key, at in told.items():
                # One that was missed again meanwhile is still to be told.
                if self._missed.get(key) == at:
                    del self._missed[key]
            if not self._missed:
                return

    def _open(self, error: CacheUnavailable) -> None:
        self._outage.begin(error)
        self._closed_until = time.monotonic() + self._pause

    def _miss(self, keys: Sequence[str]) -> None:
        now = time.monotonic()
        while self._missed and now - next(iter(self._missed.values())) > self._lifetime:
            del self._missed[next(iter(self._missed))]
        for key in keys:
            self._missed.pop(key, None)
            self._missed[key] = now
