"""`SessionStore` over Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from redis.asyncio import Redis

from shop.application.commands.sessions import SessionStoreLost
from shop.domain.values import UserId
from shop.infrastructure.redis.connection import errors_as, open_redis

_OPEN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return 0
"""
# Ends the sessions in one step: one that is opened meanwhile is ended too, or is not listed yet.
_CLOSE_ALL = """
for _, digest in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('DEL', ARGV[1] .. digest) end
redis.call('DEL', KEYS[1])
return 0
"""
_PREFIX = "shop:session:"


class RedisSessionStore:
    """A string for each session, and for each user a sorted set of digests by their expiry. Created by `open_session_store`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open = redis.register_script(_OPEN)
        self._close_all = redis.register_script(_CLOSE_ALL)

    async def open(self, digest: str, user_id: UserId, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime."""
        milliseconds = round(lifetime.total_seconds() * 1000)
        with errors_as(SessionStoreLost):
            await self._open(keys=[_PREFIX + digest, _listed(user_id)], args=[digest, str(user_id), milliseconds])

    async def holder(self, digest: str) -> UserId | None:
        """Return whose session this is, None if there is none."""
        with errors_as(SessionStoreLost):
            found = await self._redis.get(_PREFIX + digest)
        return None if found is None else UserId(UUID(found.decode() if isinstance(found, bytes) else found))

    async def close(self, digest: str) -> None:
        """End a session, if there is one. Its digest stays in the user's set until it expires."""
        with errors_as(SessionStoreLost):
            await self._redis.delete(_PREFIX + digest)

    async def close_all(self, user_id: UserId) -> None:
        """End all sessions of a user."""
        with errors_as(SessionStoreLost):
            await self._close_all(keys=[_listed(user_id)], args=[_PREFIX])


@asynccontextmanager
async def open_session_store(url: str, answer_within: float = 0.5) -> AsyncGenerator[RedisSessionStore]:
    """Open a store, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    async with open_redis(url, answer_within=answer_within, retries=1) as redis:
        yield RedisSessionStore(redis)


def _listed(user_id: UserId) -> str:
    return f"shop:sessions-of:{user_id}"
