"""Circuit breaker of the cache: no caller waits for a store that is down, and missed invalidations are replayed before it is read again."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shop.application.outages import Outage
from shop.application.reads.cache import CacheStore, CacheUnavailable, Lease, Lookup

T = TypeVar("T")

_log = logging.getLogger("shop.cache")

_PROBE = "shop:probe"


class CacheBreaker:
    """A `CacheStore` that raises `CacheUnavailable` immediately while its circuit is open.

    A failure opens the circuit for `pause` seconds; then one call probes the store, and the others still do not wait. The probe first
    replays the invalidations that the store missed. None is kept for longer than `lifetime`, after which every older value and lease has
    expired. One line is logged when the store is lost, and one when it answers again.
    """

    def __init__(self, store: CacheStore, *, lifetime: float, pause: float = 1.0) -> None:
        self._store = store
        self._pause = pause
        self._lifetime = lifetime
        self._outage = Outage(_log, "the cache does not answer", "the cache answers again")
        self._is_probing = False
        self._open_until = 0.0
        # The time of each missed invalidation, oldest first.
        self._missed: dict[str, float] = {}

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Return the value, a lease to fill it in, or `Busy`."""
        return await self._call(lambda: self._store.look_up(key, lease_seconds))

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Store a value if the lease is still valid, and return whether it was."""
        return await self._call(lambda: self._store.fill(key, lease, value, seconds))

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        await self._call(lambda: self._store.release(key, lease))

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Delete the values of these keys, and end their leases: now, or if this raises, before the store is read again."""
        is_done = False
        try:
            await self._call(lambda: self._store.invalidate(keys))
            is_done = True
        finally:
            # Also if cancelled: then it is unknown whether the store executed it.
            if not is_done:
                self._miss(keys)

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._outage.is_on or self._missed:
            await self._probe()
        try:
            return await call()
        except CacheUnavailable as error:
            self._open(error)
            raise

    async def _probe(self) -> None:
        if self._is_probing or time.monotonic() < self._open_until:
            raise CacheUnavailable("the circuit is open after a recent failure")
        self._is_probing = True
        try:
            await self._replay()
            # A store that is full accepts deletions, and no lease.
            await self._store.look_up(_PROBE, self._pause)
        except CacheUnavailable as error:
            self._open(error)
            raise
        finally:
            self._is_probing = False
        self._outage.end()

    async def _replay(self) -> None:
        while True:
            missed = dict(self._missed)
            await self._store.invalidate([_PROBE, *missed])
            for key, at in missed.items():
                # One that was missed again in the meantime stays.
                if self._missed.get(key) == at:
                    del self._missed[key]
            if not self._missed:
                return

    def _open(self, error: CacheUnavailable) -> None:
        self._outage.begin(error)
        self._open_until = time.monotonic() + self._pause

    def _miss(self, keys: Sequence[str]) -> None:
        now = time.monotonic()
        while self._missed and now - next(iter(self._missed.values())) > self._lifetime:
            del self._missed[next(iter(self._missed))]
        for key in keys:
            self._missed.pop(key, None)
            self._missed[key] = now
