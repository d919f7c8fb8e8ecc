"""`CacheStore` in memory, for a service without Redis."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from shop.application.reads.cache import Busy, Hit, Lease, Lookup


class MemoryCacheStore:
    """Values and leases with their times of expiry."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[bytes, float]] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Return the value, or a lease of at most `lease_seconds` to fill it in, or `Busy` if another caller holds the lease."""
        now = time.monotonic()
        value, value_ends = self._values.get(key, (b"", now))
        if value_ends > now:
            return Hit(value)
        self._values.pop(key, None)
        _, lease_ends = self._leases.get(key, ("", now))
        if lease_ends > now:
            return Busy()
        token = secrets.token_hex(8)
        self._leases[key] = (token, now + lease_seconds)
        return Lease(token)

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Store a value for `seconds` if the lease is still valid, and return whether it was. The lease ends."""
        if not self._holds(key, lease):
            return False
        del self._leases[key]
        self._values[key] = (value, time.monotonic() + seconds)
        return True

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        if self._holds(key, lease):
            del self._leases[key]

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Delete the values of these keys, and end their leases."""
        for key in keys:
            self._values.pop(key, None)
            self._leases.pop(key, None)

    def _holds(self, key: str, lease: Lease) -> bool:
        token, ends = self._leases.get(key, ("", 0.0))
        return token == lease.token and ends > time.monotonic()
