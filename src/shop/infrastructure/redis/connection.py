"""What the adapters over Redis share: a client that answers soon or not at all, and words for errors that quote no values."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from shop.application.cancellation import cancellation_first

_NO_WRITES: Final[Mapping[str, str]] = {
    "command not allowed when used memory > 'maxmemory'": "its memory is full; raise its maxmemory",
    "You can't write against a read only replica": "it is a replica; promote it, or name the primary in redis_url",
    "unable to persist": "it cannot save its data; make room on its disk",
}
"""What is wrong and its cure, by a part of the server's message."""


@asynccontextmanager
async def open_redis(url: str, *, answer_within: float, retries: int) -> AsyncGenerator[Redis]:
    """Open a client, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    # It waits for a free connection: another pool refuses its hundred and first caller at once, as if Redis were down.
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        url,
        timeout=answer_within,
        socket_timeout=answer_within,
        socket_connect_timeout=answer_within,
        retry=Retry(NoBackoff(), retries),
    )
    redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        await redis.aclose()


@contextmanager
def errors_as(unavailable: Callable[[str], Exception]) -> Generator[None]:
    """Raise the port's own error, with a reason, where Redis does not do what was asked."""
    try:
        with cancellation_first():
            yield
    except (RedisError, OSError) as error:
        raise unavailable(_reason(error)) from None


def _reason(error: RedisError | OSError) -> str:
    if not isinstance(error, ResponseError):
        return str(error) or type(error).__name__
    # Not the server's message, which may quote the arguments, which are values. An error in a script has no class of its own.
    found = next((cure for code, cure in _NO_WRITES.items() if code in str(error)), None)
    return f"Redis accepts no writes: {found}" if found else type(error).__name__
