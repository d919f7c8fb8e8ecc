"""What the adapters over Redis share: a client that answers soon or not at all, and words for errors that quote no values."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from shop.application.cancellation import cancellation_first


@asynccontextmanager
async def open_redis(url: str, *, answer_within: float, retries: int) -> AsyncGenerator[Redis]:
    """Open a client, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    redis: Redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        url, socket_timeout=answer_within, socket_connect_timeout=answer_within, retry=Retry(NoBackoff(), retries)
    )
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
        # The server's message may quote the arguments, which are values.
        reason = type(error).__name__ if isinstance(error, ResponseError) else str(error) or type(error).__name__
        raise unavailable(reason) from None
