"""Limits on rates, while Redis answers and while it does not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from shop.infrastructure.rates import open_rate_limit
from shop.infrastructure.redis.connection import open_redis
from shop.local_servers import redis_server

from .servers import frozen


async def test_a_process_limits_by_itself_while_redis_does_not_answer(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        async with open_rate_limit("test", 2, redis.url) as rates:

            async def allowed(who: str) -> list[bool]:
                return [await rates.hit(who) is None for _ in range(4)]

            with frozen(redis):
                assert await allowed("frozen") == [True, True, False, False]
            redis.kill()
            assert await allowed("killed") == [True, True, False, False]


@pytest.mark.programs
async def test_a_process_that_is_slow_itself_does_not_take_redis_for_down(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def occupy() -> None:
        while True:
            # Longer than Redis has for its answer.
            time.sleep(0.3)  # noqa: ASYNC251 the point of the test
            await asyncio.sleep(0)

    async with open_rate_limit("slow", 2, redis_url) as rates:
        assert await rates.hit("ada") is None
        busy = asyncio.create_task(occupy())
        # Each needs a connection of its own.
        assert (await asyncio.gather(*(rates.hit("ada") for _ in range(8)))).count(None) == 1
        busy.cancel()
    assert caplog.messages == []


async def test_any_number_of_callers_at_once_is_served(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_rate_limit("many", 3, redis_url) as rates:
        assert (await asyncio.gather(*(rates.hit("ada") for _ in range(300)))).count(None) == 3
    assert caplog.messages == []
    async with open_redis(redis_url, answer_within=30, retries=0) as redis:
        pongs = (redis.ping() for _ in range(300))  # pyright: ignore[reportUnknownMemberType] of redis
        assert await asyncio.gather(*pongs) == [True] * 300
