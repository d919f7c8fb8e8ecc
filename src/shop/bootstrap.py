"""The composition root: the only module that names concrete adapters."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from pydantic import SecretStr

from shop.application.broker import BrokerUnavailable, Publisher, Subscription
from shop.application.cache import CacheOptions, CacheStore, CacheUnavailable, ReadCache
from shop.application.cache_breaker import CacheBreaker
from shop.application.cache_invalidation import CacheInvalidation
from shop.application.consumer import Consumer, OnceInEffect
from shop.application.health import Check, NotWell
from shop.application.order_commands import OrderCommands
from shop.application.passwords import PasswordHasher
from shop.application.pruning import MessagePruning
from shop.application.reads import Reads, Replica
from shop.application.recovery import Recovery
from shop.application.relay import Relay
from shop.application.sales import keep_sales
from shop.application.seed_commands import SeedCommands
from shop.application.transactions import Retries, Transactions
from shop.application.user_commands import UserCommands
from shop.infrastructure.logging import configure_logging
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.nats.monitoring import sync_policy
from shop.infrastructure.passwords import Argon2PasswordHasher
from shop.infrastructure.postgres.directories import directories
from shop.infrastructure.postgres.health import PostgresHealth
from shop.infrastructure.postgres.inbox import PostgresInbox
from shop.infrastructure.postgres.outbox_queue import PostgresOutboxQueue
from shop.infrastructure.postgres.pool import DatabaseNotReady, PoolOptions, open_pool
from shop.infrastructure.postgres.unit_of_work import units_of_work
from shop.infrastructure.redis.cache_store import RedisCacheStore, open_cache_store
from shop.infrastructure.settings import LoadedSettings, LogFormat, LogLevel, Settings, SettingsError, load_settings

__all__ = [
    "Adapters",
    "DatabaseNotReady",
    "LoadedSettings",
    "LogFormat",
    "LogLevel",
    "Settings",
    "SettingsError",
    "Shop",
    "configure_logging",
    "health_checks",
    "load_settings",
    "open_shop",
]


# For a connection to a replica: the primary answers sooner than anything longer.
_REPLICA_WAIT = 2.0


class Broker(Publisher, Protocol):
    """Both sides of a broker."""

    def subscribe(self, consumer: str) -> Subscription:
        """Give a consumer's place in the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Adapters:
    """What stands in for the adapters that the settings name. Tests swap them here, and patch nothing."""

    passwords: PasswordHasher | None = None
    cache: CacheStore | None = None
    broker: Broker | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """The service, ready for use. `relay` and `consumers` are None where the settings name no broker.

    The consumer `cache` is missing where they name no cache.
    """

    users: UserCommands
    orders: OrderCommands
    reads: Reads
    cache: ReadCache
    seeds: SeedCommands
    pruning: MessagePruning
    recovery: Recovery
    relay: Relay | None
    consumers: dict[str, Consumer] | None


@asynccontextmanager
async def open_shop(settings: Settings, adapters: Adapters = Adapters()) -> AsyncGenerator[Shop]:
    """Compose the service. Raises `DatabaseNotReady`; a replica, Redis and NATS may come later."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings.database_url.get_secret_value(), _pool_options(settings)))
        replica: Replica | None = None
        if settings.database_read_url is not None:
            # Nothing is connected before it is asked: one that is down would be tried, and complained of, all the time.
            options = replace(_pool_options(settings), min_size=0, wait_timeout=min(settings.pool_wait_timeout, _REPLICA_WAIT))
            url = settings.database_read_url.get_secret_value()
            replica = Replica(directories(await stack.enter_async_context(open_pool(url, options, is_required=False))))
        store = adapters.cache
        if store is None and settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store(settings.redis_url.get_secret_value()))
        broker: Broker | None = adapters.broker
        if broker is None and settings.nats_url is not None:
            broker = await stack.enter_async_context(_broker(settings, settings.nats_url))

        # Without Redis the cache is this process's own and empty: nobody else could tell it what is wrong.
        cache = _read_cache(store or MemoryCacheStore(), CacheOptions(ttl=settings.cache_ttl))
        invalidation = CacheInvalidation(cache)
        transactions = Transactions(
            units_of_work(pool, settings.isolation),
            after_commit=invalidation.after_commit,
            retries=Retries(attempts=settings.retry_attempts, deadline=settings.use_case_timeout),
        )
        yield Shop(
            users=UserCommands(transactions, adapters.passwords or Argon2PasswordHasher()),
            orders=OrderCommands(transactions),
            reads=Reads(directories(pool), None if store is None else cache, replica),
            cache=cache,
            seeds=SeedCommands(transactions),
            pruning=MessagePruning(transactions, _retention(settings)),
            recovery=Recovery(transactions),
            relay=None if broker is None else Relay(PostgresOutboxQueue(pool), broker, batch_size=settings.relay_batch_size),
            consumers=None
            if broker is None
            else {
                "sales": Consumer(broker.subscribe("sales"), OnceInEffect(PostgresInbox(pool, "sales"), keep_sales)),
                # Without a cache that others share it would acknowledge every message, and change nothing.
                **({} if store is None else {"cache": Consumer(broker.subscribe("cache"), invalidation.process)}),
            },
        )


@asynccontextmanager
async def health_checks(settings: Settings) -> AsyncGenerator[list[Check]]:
    """Give what there is to look at. Without the database and its migrations the service cannot work; the rest may be down for a while."""
    postgres = PostgresHealth(settings.database_url.get_secret_value(), settings.outbox_lag_limit)
    checks = [
        Check("postgres", postgres.server, is_required=True),
        Check("migrations", postgres.migrations, is_required=True),
        Check("durability", postgres.durability, is_required=False),
        Check("outbox", postgres.outbox, is_required=False),
    ]
    if settings.database_read_url is not None:
        replica = PostgresHealth(settings.database_read_url.get_secret_value(), settings.outbox_lag_limit)
        checks.append(Check("replica", replica.replica, is_required=False))
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store(settings.redis_url.get_secret_value()))
            checks.append(Check("redis", lambda: _ping(store), is_required=False))
        if settings.nats_url is not None:
            broker = await stack.enter_async_context(_broker(settings, settings.nats_url))
            checks.append(Check("nats", lambda: _connect(broker), is_required=False))
            checks.append(Check("stream", lambda: postgres.stream(broker.extent, _retention(settings)), is_required=False))
            checks.append(Check("nats durability", lambda: _sync_policy(settings.nats_monitoring_url), is_required=False))
        yield checks


def _read_cache(store: CacheStore, options: CacheOptions) -> ReadCache:
    return ReadCache(CacheBreaker(store, lifetime=options.ttl + options.lease), options)


def _pool_options(settings: Settings) -> PoolOptions:
    return PoolOptions(
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        wait_timeout=settings.pool_wait_timeout,
        connect_timeout=settings.connect_timeout,
        statement_timeout=settings.statement_timeout,
        lock_timeout=settings.lock_timeout,
    )


def _broker(settings: Settings, url: SecretStr) -> AbstractAsyncContextManager[NatsBroker]:
    return open_broker(url.get_secret_value(), settings.nats_stream, _retention(settings))


def _retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.message_retention_days)


async def _sync_policy(monitoring_url: SecretStr | None) -> str:
    if monitoring_url is None:
        return "not known: nats_monitoring_url is not set, and NATS says nowhere else whether it acknowledges before it syncs"
    return await sync_policy(monitoring_url.get_secret_value())


async def _ping(store: RedisCacheStore) -> str:
    try:
        await store.ping()
    except CacheUnavailable as error:
        raise NotWell(str(error)) from error
    return "answers"


async def _connect(broker: NatsBroker) -> str:
    try:
        await broker.jetstream()
    except BrokerUnavailable as error:
        raise NotWell(str(error)) from error
    return "connected, the stream is there"
