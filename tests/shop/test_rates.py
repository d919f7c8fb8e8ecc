"""Limits on rates, while Redis answers and while it does not."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from limits.aio.storage import MemoryStorage
from limits.errors import StorageError

from shop.application.reads.cache import CacheUnavailable
from shop.infrastructure.redis.cache_store import open_cache_store
from shop.infrastructure.redis.connection import open_redis
from shop.infrastructure.redis.rates import SlidingWindowRateLimit, open_rate_limit
from shop.local_servers import redis_server

from .servers import frozen


def this_minute() -> Callable[[], float]:
    """Return a clock of a minute that has just begun: at the end of one, a part of what was allowed no longer counts."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


async def noticed(redis_url: str) -> None:
    """Return when the event loop knows what has happened to connections: before the answer of another one."""
    async with open_cache_store(redis_url) as another:
        await another.probe()


async def test_a_process_limits_by_itself_while_redis_does_not_answer(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        async with open_rate_limit("test", 2, redis.url, this_minute()) as rates:

            async def allowed(who: str) -> list[bool]:
                return [await rates.hit(who) is None for _ in range(4)]

            with frozen(redis):
                assert await allowed("frozen") == [True, True, False, False]
            redis.kill()
            assert await allowed("killed") == [True, True, False, False]


async def test_a_redis_that_has_lost_its_data_allows_no_more(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        clock = this_minute()
        async with open_rate_limit("lost", 3, redis.url, clock) as rates, open_rate_limit("lost", 3, redis.url, clock) as other:
            assert [await rates.hit("ada") is None for _ in range(2)] == [True] * 2
            redis.kill()
            redis.start()
            await noticed(redis.url)
            assert [await rates.hit("ada") is None for _ in range(2)] == [True, False]
            # Which has allowed nothing yet: both count together what Redis knows, which is one.
            assert [await other.hit("ada") is None for _ in range(3)] == [True, True, False]
            redis.kill()
            # What Redis has refused does not count.
            assert [await other.hit("ada") is None for _ in range(2)] == [True, False]


async def test_a_process_alone_counts_by_a_window_that_slides() -> None:
    now = 0.0
    rates = SlidingWindowRateLimit(4, None, clock=lambda: now)

    async def allowed() -> int:
        return [await rates.hit("ada") for _ in range(9)].count(None)

    counts = dict[float, int]()
    for now in (30, 59, 75, 90, 300):
        counts[now] = await allowed()
    # Half a minute after the first four, two of them still count, and the one at 75.
    assert counts == {30: 4, 59: 0, 75: 1, 90: 1, 300: 4}
    for _ in range(10):
        wait = await rates.hit("ada")
        assert wait is not None
        now += wait - 0.01
        assert await rates.hit("ada") is not None
        now += 0.02
        assert await allowed() == 1
    assert await rates.hit("grace") is None


@pytest.mark.programs
async def test_a_process_that_is_slow_itself_does_not_take_redis_for_down(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def occupy() -> None:
        while True:
            # Longer than Redis has for its answer.
            time.sleep(0.3)  # noqa: ASYNC251 the point of the test
            await asyncio.sleep(0)

    async with open_rate_limit("slow", 2, redis_url, this_minute()) as rates:
        assert await rates.hit("ada") is None
        busy = asyncio.create_task(occupy())
        # Each needs a connection of its own.
        assert (await asyncio.gather(*(rates.hit("ada") for _ in range(8)))).count(None) == 1
        busy.cancel()
    assert caplog.messages == []


async def test_any_number_of_callers_at_once_is_served(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_rate_limit("many", 3, redis_url, this_minute()) as rates:
        assert (await asyncio.gather(*(rates.hit("ada") for _ in range(300)))).count(None) == 3
    assert caplog.messages == []
    async with open_redis(redis_url, answer_within=30, retries=0) as redis:
        pongs = (redis.ping() for _ in range(300))  # pyright: ignore[reportUnknownMemberType] of redis
        assert await asyncio.gather(*pongs) == [True] * 300


class Relay:
    """Forwards connections to Redis, and closes, resets or silences the open ones on demand."""

    def __init__(self, redis_url: str) -> None:
        self._port = urlsplit(redis_url).port
        self._clients = list[asyncio.StreamWriter]()
        self._silent = set[asyncio.StreamWriter]()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", self._port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    if writer not in self._silent:
                        target.write(data)
            target.close()

        await asyncio.gather(copy(reader, to_redis), copy(from_redis, writer))

    def close(self) -> None:
        for each in self._clients:
            each.close()

    def reset(self) -> None:
        for each in self._clients:
            each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.transport.abort()

    def fall_silent(self) -> None:
        self._silent.update(self._clients)


@asynccontextmanager
async def relayed(redis_url: str) -> AsyncGenerator[tuple[Relay, str]]:
    relay = Relay(redis_url)
    server = await asyncio.start_server(relay.forward, "127.0.0.1", 0)
    try:
        yield relay, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        relay.close()
        server.close()


@pytest.mark.parametrize("end", [Relay.close, Relay.reset])
async def test_connections_that_ended_while_they_were_idle_are_no_outage(
    redis_url: str, end: Callable[[Relay], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with relayed(redis_url) as (relay, url), open_cache_store(url) as cache, open_rate_limit("ended", 1000, url) as rates:

        async def use_many_at_once() -> None:
            await asyncio.gather(*(cache.probe() for _ in range(8)), *(rates.hit("ada") for _ in range(8)))

        await use_many_at_once()
        end(relay)
        await noticed(url)
        await use_many_at_once()
    assert caplog.messages == []


async def test_single_failures_are_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(MemoryStorage):
        fails = True

        async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
            if self.fails:
                raise StorageError(OSError())
            return await super().acquire_sliding_window_entry(key, limit, expiry, amount)

    storage, now = Failing(), 0.0
    rates = SlidingWindowRateLimit(1000, storage, lambda: now)
    for now in range(20):
        storage.fails = now < 8 and now % 2 == 0
        await rates.hit("ada")
    assert [each.partition(":")[0] for each in caplog.messages] == [
        "rates are limited by each process alone",
        "rates are limited by all processes together again",
    ]


async def test_a_connection_that_fails_casts_doubt_on_the_idle_ones(redis_url: str) -> None:
    async with relayed(redis_url) as (relay, url), open_cache_store(url) as cache:
        await asyncio.gather(*(cache.probe() for _ in range(8)))
        # As after a failover of the host: nothing says that the connections are gone.
        relay.fall_silent()
        with pytest.raises(CacheUnavailable):
            await cache.probe()
        await asyncio.gather(*(cache.probe() for _ in range(8)))
