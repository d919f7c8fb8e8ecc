"""The adapters that the settings describe.

Those of optional servers are imported only if there is such a server: their clients take as long to import as everything else together.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from shop.application.messaging.backlog import MeasurableStream
from shop.application.messaging.broker import Publisher, Subscription
from shop.application.messaging.interest import Interest
from shop.application.messaging.status import StatusListener, StatusSender
from shop.application.reads.cache import CacheOptions, CacheStore, ReadCache
from shop.application.reads.cache_breaker import CacheBreaker
from shop.infrastructure.passwords import Argon2PasswordHasher, parameters
from shop.infrastructure.postgres.pool import PoolOptions
from shop.infrastructure.settings.model import Settings
from shop.infrastructure.tokens import SignedAccessTokens

if TYPE_CHECKING:
    from shop.infrastructure.nats.broker import NatsBroker
    from shop.infrastructure.redis.cache_store import RedisCacheStore
    from shop.infrastructure.redis.sessions import RedisSessionStore
    from shop.infrastructure.smtp import SmtpNotifier


class Broker(Publisher, MeasurableStream, StatusSender, StatusListener, Protocol):
    """A broker that publishes and delivers."""

    async def prepare(self) -> None:
        """Create the stream, or change it, if necessary. Raises `BrokerUnavailable` or `BrokerMisconfigured`."""
        ...

    def subscribe(self, consumer: str, interest: Interest, *, is_ordered: bool = True) -> Subscription:
        """Return the subscription of a consumer to its interest. If it is not ordered, no message waits for the settlement of another."""
        ...

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were. Raises `BrokerUnavailable`."""
        ...


def read_cache(store: CacheStore, options: CacheOptions) -> ReadCache:
    """Return the cache of reads on a store, which is left alone for a while when it does not answer."""
    return ReadCache(CacheBreaker(store, lifetime=options.ttl + options.lease), options)


def hasher(settings: Settings) -> Argon2PasswordHasher:
    """Return the hasher of passwords, at the cost of the settings."""
    cost = parameters(memory_kib=settings.password_memory_kib, passes=settings.password_passes, lanes=settings.password_lanes)
    return Argon2PasswordHasher(cost)


def access_tokens(settings: Settings) -> SignedAccessTokens:
    """Return what signs and verifies access tokens."""
    return SignedAccessTokens(
        keys=Path(settings.token_keys) if settings.token_keys else None,
        signing_id=settings.token_signing_key,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetime=timedelta(seconds=settings.token_lifetime),
    )


def pool_options(settings: Settings) -> PoolOptions:
    """Return the options of a pool of connections."""
    return PoolOptions(
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        wait_timeout=settings.pool_wait_timeout,
        max_lifetime=settings.pool_max_lifetime,
        max_idle=settings.pool_max_idle,
        connect_timeout=settings.connect_timeout,
        statement_timeout=settings.statement_timeout,
        lock_timeout=settings.lock_timeout,
        prepared_statements=settings.pool_prepared_statements,
    )


def open_broker_of(settings: Settings, url: SecretStr) -> AbstractAsyncContextManager[NatsBroker]:
    """Open the broker at a URL; it may become available later."""
    from shop.infrastructure.nats.broker import open_broker

    return open_broker(url.get_secret_value(), settings.nats_stream, retention(settings))


def open_cache_store_of(url: SecretStr) -> AbstractAsyncContextManager[RedisCacheStore]:
    """Open the store of the cache in Redis; it may become available later."""
    from shop.infrastructure.redis.cache_store import open_cache_store

    return open_cache_store(url.get_secret_value())


def open_session_store_of(url: SecretStr) -> AbstractAsyncContextManager[RedisSessionStore]:
    """Open the store of sessions in Redis; it may become available later."""
    from shop.infrastructure.redis.sessions import open_session_store

    return open_session_store(url.get_secret_value())


def notifier(url: SecretStr, sender: str) -> SmtpNotifier:
    """Return what sends mail by the server at a URL."""
    from shop.infrastructure.smtp import SmtpNotifier

    return SmtpNotifier(url.get_secret_value(), sender)


def retention(settings: Settings) -> timedelta:
    """Return how long messages are kept."""
    return timedelta(days=settings.message_retention_days)
