"""What the adapters over Redis share: a client that answers soon or not at all, and words for errors that quote no values."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from shop.application.cancellation import cancellation_first

_NO_WRITES: Final[Mapping[str, str]] = {
    "command not allowed when used memory > 'maxmemory'": "its memory is full; raise its maxmemory",
    "You can't write against a read only replica": "it is a replica; promote it, or name the primary in redis_url",
    "unable to persist": "it cannot save its data; make room on its disk",
}
"""What is wrong and its cure, by a part of the server's message."""

# A message of the server may quote arguments, which are values; only what looks like the name of a command is shown.
_ARGUMENTS: Final = re.compile(r",? with args beginning with.*", re.DOTALL)
_QUOTED: Final = re.compile(r"'[^']*('|$)|\"[^\"]*(\"|$)|`[^`']*(['`]|$)")
_COMMAND: Final = re.compile(r"['\"`][A-Za-z]{1,16}([| ][A-Za-z]{1,16})?['\"]")
_SAID: Final = 200


class _Pool(BlockingConnectionPool):
    """A pool that lends no connection which ended while it was idle, so that a server that was restarted is not taken for one that is down.

    It waits for a free connection: redis's other pool refuses its hundred and first caller at once, as if Redis were down.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        # The idle connections that were used after the last failure.
        self._trusted = set[AbstractConnection]()

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Connect, unless the connection is one that works."""
        reader = connection._reader  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] redis recognises an end, and not a reset
        if connection not in self._trusted or (reader is not None and reader.exception() is not None):
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back. If it failed, no idle one is trusted: a host that is gone, or a network, ends no connection."""
        if connection.is_connected:
            self._trusted.add(connection)
        else:
            self._trusted.clear()
        await super().release(connection)


@asynccontextmanager
async def open_pool(url: str, *, answer_within: float | None, retries: int) -> AsyncGenerator[BlockingConnectionPool]:
    """Open a pool, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    pool: _Pool = _Pool.from_url(  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        url,
        timeout=answer_within,
        socket_timeout=answer_within,
        socket_connect_timeout=answer_within,
        retry=Retry(NoBackoff(), retries),
        # Of servers that are moved. By default the client asks for them, and then lends connections that the server has closed.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    try:
        yield pool
    finally:
        await pool.aclose()


@asynccontextmanager
async def open_redis(url: str, *, answer_within: float, retries: int) -> AsyncGenerator[Redis]:
    """Open a client, and close its connections at the end. It connects on first use. Raises ValueError for an invalid URL."""
    async with open_pool(url, answer_within=answer_within, retries=retries) as pool:
        yield Redis(connection_pool=pool)


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
    # An error in a script has no class of its own.
    found = next((cure for code, cure in _NO_WRITES.items() if code in str(error)), None)
    if found:
        return f"Redis accepts no writes: {found}"
    said = _ARGUMENTS.sub("", str(error))
    said = " ".join(_QUOTED.sub(lambda quoted: quoted[0] if _COMMAND.fullmatch(quoted[0]) else "…", said).split())[:_SAID]
    return f"Redis refuses: {said}" if said else type(error).__name__
