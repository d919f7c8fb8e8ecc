"""`SessionStore` over Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from shop.application.commands.session_store import ReusedToken, Session, SessionStoreLost
from shop.domain.values import UserId
from shop.infrastructure.redis.connection import errors_as, open_redis

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function digits(number) return string.format('%.0f', number) end
"""
_OPEN = (
    _NOW
    + """
local ends = digits(now + ARGV[6])
redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'user', ARGV[3], 'generation', ARGV[4], 'origin', ARGV[5],
    'opened', digits(now), 'refreshed', digits(now), 'ends', ends)
redis.call('PEXPIREAT', KEYS[1], ends)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', digits(now))
redis.call('ZADD', KEYS[2], ends, ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[6]) then redis.call('PEXPIREAT', KEYS[2], ends) end
return 0
"""
)
# A rotation has two steps, so that the old token is valid until the new one has arrived here, and the new one from then on: no lost
# answer ends a session. Either step may be carried out twice, or long after its caller has given up and tried again: `turn` counts the
# first steps, and one that comes too late for its turn does nothing. A token that is neither was used before: its family was right.
_PREPARE = (
    _NOW
    + """
local digest, following, turn = unpack(redis.call('HMGET', KEYS[1], 'digest', 'following', 'turn'))
if not digest then return false end
if digest ~= ARGV[1] or following ~= ARGV[2] then
    if (turn or '0') ~= ARGV[3] then return {'overtaken'} end
    if digest ~= ARGV[1] then
        if following ~= ARGV[1] then
            local kept = redis.call('HGETALL', KEYS[1])
            redis.call('DEL', KEYS[1])
            return {'reused', kept}
        end
        redis.call('HSET', KEYS[1], 'digest', following)
    end
    redis.call('HSET', KEYS[1], 'following', ARGV[2], 'refreshed', digits(now))
    redis.call('HINCRBY', KEYS[1], 'turn', 1)
end
return {'prepared', redis.call('HGETALL', KEYS[1])}
"""
)
_SETTLE = """
local digest, following = unpack(redis.call('HMGET', KEYS[1], 'digest', 'following'))
if digest == ARGV[1] and following == ARGV[2] then
    redis.call('HSET', KEYS[1], 'digest', ARGV[2])
    redis.call('HDEL', KEYS[1], 'following')
    digest = ARGV[2]
end
return digest == ARGV[2]
"""
# More than that many uses of one token at the same time.
_TURNS = 10
_OF_USER = """
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
    local kept = redis.call('HGETALL', ARGV[1] .. id)
    if #kept > 0 then found[#found + 1] = {id, kept} end
end
return found
"""
# Ends the sessions in one step: one that is opened meanwhile is ended too, or is not listed yet.
_CLOSE_ALL = """
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local generation = redis.call('HGET', ARGV[1] .. id, 'generation')
    if not generation or ARGV[2] == '' or tonumber(generation) < tonumber(ARGV[2]) then
        redis.call('DEL', ARGV[1] .. id)
        redis.call('ZREM', KEYS[1], id)
    end
end
return 0
"""
_PREFIX = "shop:session:"


class RedisSessionStore:
    """A hash for each session, and for each user a sorted set of session ids by their expiry. Created by `open_session_store`."""

    def __init__(self, redis: Redis, once: Redis) -> None:
        """Store sessions by two clients, of which `once` sends a command once and not again where the answer is missing."""
        self._redis: Any = redis
        # What arrives late would restore a session that has ended meanwhile, or a token of it that was used.
        self._open = once.register_script(_OPEN)
        self._prepare = redis.register_script(_PREPARE)
        self._settle = redis.register_script(_SETTLE)
        self._of_user = redis.register_script(_OF_USER)
        self._close_all = redis.register_script(_CLOSE_ALL)

    async def open(self, session_id: str, digest: str, user_id: UserId, generation: int, origin: str, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime."""
        milliseconds = round(lifetime.total_seconds() * 1000)
        with errors_as(SessionStoreLost):
            await self._open(
                keys=[_PREFIX + session_id, _listed(user_id)], args=[session_id, digest, str(user_id), generation, origin, milliseconds]
            )

    async def get(self, session_id: str) -> Session | None:
        """Return a session, None if it has ended or never was."""
        with errors_as(SessionStoreLost):
            kept: dict[bytes, bytes] = await self._redis.hgetall(_PREFIX + session_id)
        return _session(session_id, kept) if kept else None

    async def rotate(self, session_id: str, used: str, following: str) -> Session | ReusedToken | None:
        """Replace the digest `used` by `following`, and return the session. If another digest is the current one, end the session."""
        key = _PREFIX + session_id
        with errors_as(SessionStoreLost):
            prepared = await self._prepared(key, used, following)
        if prepared is None:
            return None
        outcome, kept = prepared
        session = _session(session_id, _pairs(kept))
        if outcome == b"reused":
            return ReusedToken(session)
        try:
            with errors_as(SessionStoreLost):
                if await self._settle(keys=[key], args=[used, following]):
                    return session
                # In between, another use of the token has prepared its rotation.
                return ReusedToken(session) if await self._redis.delete(key) else None
        except SessionStoreLost:
            # Settled or not, the session accepts the new token.
            return session

    async def _prepared(self, key: str, used: str, following: str) -> tuple[bytes, list[bytes]] | None:
        for _ in range(_TURNS):
            turn: bytes | None = await self._redis.hget(key, "turn")
            answer: list[Any] | None = await self._prepare(keys=[key], args=[used, following, turn or 0])
            if answer is None or answer[0] != b"overtaken":
                return None if answer is None else (answer[0], answer[1])
        raise SessionStoreLost("a refresh token is in use too often at the same time")

    async def of_user(self, user_id: UserId) -> Sequence[Session]:
        """Return the sessions of a user, the latest first."""
        with errors_as(SessionStoreLost):
            found: list[Any] = await self._of_user(keys=[_listed(user_id)], args=[_PREFIX])
        sessions = [_session(session_id.decode(), _pairs(kept)) for session_id, kept in found]
        return sorted(sessions, key=lambda session: session.opened_at, reverse=True)

    async def close(self, session_id: str) -> None:
        """End a session, if there is one. Its id stays in the user's set until it expires."""
        with errors_as(SessionStoreLost):
            await self._redis.delete(_PREFIX + session_id)

    async def close_all(self, user_id: UserId, before: int | None = None) -> None:
        """End the sessions of a user, or only those of the generations before one."""
        with errors_as(SessionStoreLost):
            await self._close_all(keys=[_listed(user_id)], args=[_PREFIX, "" if before is None else before])


@asynccontextmanager
async def open_session_store(url: str, answer_within: float = 0.5) -> AsyncGenerator[RedisSessionStore]:
    """Open a store, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    async with (
        open_redis(url, answer_within=answer_within, retries=1) as redis,
        open_redis(url, answer_within=answer_within, retries=0) as once,
    ):
        yield RedisSessionStore(redis, once)


def _listed(user_id: UserId) -> str:
    return f"shop:user-sessions:{user_id}"


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _session(session_id: str, kept: Mapping[bytes, bytes]) -> Session:
    return Session(
        session_id,
        UserId(UUID(kept[b"user"].decode())),
        int(kept[b"generation"]),
        kept[b"origin"].decode(),
        opened_at=_moment(kept[b"opened"]),
        refreshed_at=_moment(kept[b"refreshed"]),
        ends_at=_moment(kept[b"ends"]),
    )


def _moment(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
