"""The contract of a cache store, for Redis and in memory; and the cache without Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import BaseModel

from shop.application.messaging.cache_invalidation import CacheInvalidation
from shop.application.messaging.consumer import Verdict
from shop.application.reads.cache import Busy, CacheOptions, CacheStore, CacheUnavailable, Hit, Lease, ReadCache, stale_keys
from shop.application.reads.cache_breaker import CacheBreaker
from shop.domain.events import OrderPaid, UserDeleted, UserRegistered
from shop.domain.money import Currency, Money
from shop.domain.result import Err, Ok, Result
from shop.domain.values import OrderId, UserId
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.redis.cache_store import open_cache_store
from shop.local_servers import LocalServer, redis_server

from .events import message
from .servers import frozen, info

USER = UserId(uuid.UUID(int=7))


class Number(BaseModel):
    """A read model."""

    value: int


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The Redis server of this module."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest_asyncio.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CacheStore]:
    """A store of either kind."""
    if request.param == "memory":
        yield MemoryCacheStore()
        return
    server: LocalServer = request.getfixturevalue("redis")
    # These tests must also pass on a busy machine.
    async with open_cache_store(server.url, answer_within=30) as store:
        yield store


@pytest.fixture
def key() -> str:
    """A key for this test."""
    return f"test:{uuid.uuid4()}"


async def leased(store: CacheStore, key: str, seconds: float = 30) -> Lease:
    lookup = await store.look_up(key, seconds)
    assert isinstance(lookup, Lease)
    return lookup


# --- The store ----------------------------------------------------------------------------------------------------------


async def test_a_filled_value_is_a_hit(store: CacheStore, key: str) -> None:
    assert await store.fill(key, await leased(store, key), b"\x00value\xff", 30)
    assert await store.look_up(key, 30) == Hit(b"\x00value\xff")


async def test_one_caller_gets_the_lease_and_the_others_are_busy(store: CacheStore, key: str) -> None:
    lookups = await asyncio.gather(*(store.look_up(key, 30) for _ in range(20)))
    assert sum(isinstance(lookup, Lease) for lookup in lookups) == 1
    assert lookups.count(Busy()) == 19


async def test_a_value_expires(store: CacheStore, key: str) -> None:
    await store.fill(key, await leased(store, key), b"value", 0.05)
    await asyncio.sleep(0.1)
    assert isinstance(await store.look_up(key, 30), Lease)


async def test_an_expired_lease_fills_nothing(store: CacheStore, key: str) -> None:
    old = await leased(store, key, 0.05)
    await asyncio.sleep(0.1)
    new = await leased(store, key)
    assert not await store.fill(key, old, b"old", 30)
    assert await store.fill(key, new, b"new", 30)
    assert await store.look_up(key, 30) == Hit(b"new")


async def test_a_released_lease_is_available_again(store: CacheStore, key: str) -> None:
    await store.release(key, await leased(store, key))
    lease = await leased(store, key)
    await store.release(key, Lease("another"))
    assert await store.look_up(key, 30) == Busy()
    assert await store.fill(key, lease, b"value", 30)


async def test_an_invalidated_value_is_a_miss(store: CacheStore, key: str) -> None:
    await store.fill(key, await leased(store, key), b"value", 30)
    await store.invalidate([key, "test:another"])
    assert isinstance(await store.look_up(key, 30), Lease)


async def test_a_value_loaded_before_an_invalidation_is_not_stored_after_it(store: CacheStore, key: str) -> None:
    lease = await leased(store, key)
    await store.invalidate([key])
    assert not await store.fill(key, lease, b"stale", 30)
    assert isinstance(await store.look_up(key, 30), Lease)


# --- The cache ----------------------------------------------------------------------------------------------------------


class Loader:
    """Counts its calls."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.calls = 0
        self.seconds = seconds
        self.answer: Result[Number, str] | None = None

    async def __call__(self) -> Result[Number, str]:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        return Ok(Number(value=self.calls)) if self.answer is None else self.answer


async def test_the_second_lookup_is_a_hit(store: CacheStore, key: str) -> None:
    cache, load = ReadCache(store), Loader()
    assert [await cache.get(key, Number, load) for _ in range(3)] == [Ok(Number(value=1))] * 3
    assert (load.calls, cache.hits, cache.misses) == (1, 2, 1)


async def test_concurrent_lookups_load_once(store: CacheStore, key: str) -> None:
    cache, load = ReadCache(store, CacheOptions(lease=30, patience=30)), Loader(seconds=0.1)
    answers = await asyncio.gather(*(cache.get(key, Number, load) for _ in range(50)))
    assert set(map(str, answers)) == {str(Ok(Number(value=1)))}
    assert load.calls == 1


async def test_a_caller_that_has_waited_too_long_loads_too(store: CacheStore, key: str) -> None:
    await leased(store, key)
    cache, load = ReadCache(store, CacheOptions(patience=0.05)), Loader()
    assert await cache.get(key, Number, load) == Ok(Number(value=1))


async def test_an_error_is_not_cached(store: CacheStore, key: str) -> None:
    cache, load = ReadCache(store), Loader()
    load.answer = Err("not found")
    assert await cache.get(key, Number, load) == Err("not found")
    load.answer = None
    assert await cache.get(key, Number, load) == Ok(Number(value=2))


async def test_a_loader_that_raises_releases_its_lease(store: CacheStore, key: str) -> None:
    cache, load = ReadCache(store), Loader()

    async def fail() -> Result[Number, str]:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        await cache.get(key, Number, fail)
    assert await cache.get(key, Number, load) == Ok(Number(value=1))
    assert cache.misses == 2


async def test_a_value_of_another_shape_is_loaded_and_replaced(store: CacheStore, key: str) -> None:
    await store.fill(key, await leased(store, key), b'{"name": "x"}', 30)
    cache, load = ReadCache(store), Loader()
    assert [await cache.get(key, Number, load) for _ in range(3)] == [Ok(Number(value=1)), Ok(Number(value=2)), Ok(Number(value=2))]


async def test_events_invalidate_stale_values(store: CacheStore) -> None:
    cache, load = ReadCache(store), Loader()
    invalidation = CacheInvalidation(cache)
    paid = OrderPaid(OrderId(uuid.UUID(int=1)), USER, Money(1, Currency.EUR))
    [key] = stale_keys(paid)
    await cache.get(key, Number, load)
    await invalidation.after_commit([UserRegistered(USER)])
    assert await cache.get(key, Number, load) == Ok(Number(value=1))
    await invalidation.after_commit([paid])
    assert await cache.get(key, Number, load) == Ok(Number(value=2))
    assert key in stale_keys(UserDeleted(USER))


# --- Without Redis ------------------------------------------------------------------------------------------------------


async def test_without_redis_everything_is_loaded_and_correct(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        async with open_cache_store(server.url) as store:
            cache, load = ReadCache(CacheBreaker(store, pause=0.05, lifetime=30)), Loader()
            assert await cache.get(key, Number, load) == Ok(Number(value=1))
            server.kill()
            assert [await cache.get(key, Number, load) for _ in range(2)] == [Ok(Number(value=2)), Ok(Number(value=3))]
            with pytest.raises(CacheUnavailable):
                await cache.invalidate([key])
            deleted = UserDeleted(USER)
            assert await CacheInvalidation(cache).process(deleted, message(deleted)) is Verdict.NOT_NOW
            server.start()
            await asyncio.sleep(0.06)
            assert [await cache.get(key, Number, load) for _ in range(2)] == [Ok(Number(value=4))] * 2


def asked(server: LocalServer) -> int:
    stats = info(server, "commandstats")
    return sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_del") if name in stats)


async def test_a_frozen_store_is_asked_once_and_logged_once(redis: LocalServer, key: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_cache_store(redis.url, answer_within=0.2) as store:
        breaker = CacheBreaker(store, pause=3600, lifetime=3600)
        cache, load = ReadCache(breaker), Loader()
        before = asked(redis)
        with frozen(redis):
            for number in range(1, 21):
                assert await cache.get(key, Number, load) == Ok(Number(value=number))
                with pytest.raises(CacheUnavailable):
                    await cache.invalidate([key])
    assert asked(redis) - before <= 1
    assert [(record.name, record.exc_info) for record in caplog.records] == [("shop.cache", None)]


async def test_missed_invalidations_are_replayed_before_the_store_is_read(
    redis: LocalServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cache_store(redis.url, answer_within=0.2) as store:
        cache, load = ReadCache(CacheBreaker(store, pause=0.5, lifetime=3600)), Loader()
        assert await cache.get(key, Number, load) == Ok(Number(value=1))
        with frozen(redis):
            # The first is sent to the store; the second is stopped by the open circuit.
            for missed in (f"{key}:another", key):
                with pytest.raises(CacheUnavailable):
                    await cache.invalidate([missed])
        async with asyncio.timeout(300):
            while cache.hits == 0:
                assert await cache.get(key, Number, load) != Ok(Number(value=1))
                await asyncio.sleep(0.05)
    assert [record.exc_info for record in caplog.records] == [None, None]
