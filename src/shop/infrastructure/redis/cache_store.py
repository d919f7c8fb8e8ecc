"""`CacheStore` over Redis: each method is one round trip, and atomic."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from shop.application.reads.cache import Busy, CacheUnavailable, Hit, Lease, Lookup
from shop.infrastructure.redis.connection import errors_as, open_redis

_LOOK_UP = """
local value = redis.call('GET', KEYS[1])
if value then return {'hit', value} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'lease', ARGV[1]} end
return {'busy', ''}
"""
_FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 0
"""

_PROBE_MILLISECONDS = 1000


class RedisCacheStore:
    """Values and leases as Redis strings that expire. Created by `open_cache_store`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._look_up = redis.register_script(_LOOK_UP)
        self._fill = redis.register_script(_FILL)
        self._release = redis.register_script(_RELEASE)

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Return the value, or a lease of at most `lease_seconds` to fill it in, or `Busy` if another caller holds the lease."""
        with errors_as(CacheUnavailable):
            state, content = await self._look_up(keys=_keys(key), args=[secrets.token_hex(8), _milliseconds(lease_seconds)])
        match state:
            case b"hit":
                return Hit(content)
            case b"lease":
                return Lease(content.decode())
            case _:
                return Busy()

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Store a value for `seconds` if the lease is still valid, and return whether it was. The lease ends."""
        with errors_as(CacheUnavailable):
            return bool(await self._fill(keys=_keys(key), args=[lease.token, value, _milliseconds(seconds)]))

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        with errors_as(CacheUnavailable):
            await self._release(keys=_keys(key), args=[lease.token])

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Delete the values of these keys, and end their leases."""
        with errors_as(CacheUnavailable):
            await self._redis.delete(*(name for key in keys for name in _keys(key)))

    async def probe(self) -> None:
        """Return if Redis answers and accepts writes. Raises `CacheUnavailable`."""
        with errors_as(CacheUnavailable):
            await self._redis.set("shop:health", b"", px=_PROBE_MILLISECONDS)


@asynccontextmanager
async def open_cache_store(url: str, answer_within: float = 0.5) -> AsyncGenerator[RedisCacheStore]:
    """Open a store, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL.

    No call waits longer than `answer_within` seconds or retries: loading the value from the database is faster.
    """
    async with open_redis(url, answer_within=answer_within, retries=0) as redis:
        yield RedisCacheStore(redis)


def _keys(key: str) -> list[str]:
    # In braces, so that a cluster stores both in one slot.
    return [f"{{{key}}}", f"{{{key}}}:lease"]


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
