"""The health checks of the service's dependencies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from shop.application.health import Check, Unhealthy
from shop.application.messaging.broker import BrokerUnavailable
from shop.application.reads.cache import CacheUnavailable
from shop.bootstrap.adapters import open_broker_of, open_cache_store_of, retention
from shop.infrastructure.nats.monitoring import require_storage, sync_policy
from shop.infrastructure.postgres.administration.rights import missing_rights
from shop.infrastructure.postgres.health import PostgresHealth
from shop.infrastructure.settings.model import Settings

if TYPE_CHECKING:
    from shop.infrastructure.nats.broker import NatsBroker
    from shop.infrastructure.redis.cache_store import RedisCacheStore


@asynccontextmanager
async def health_checks(settings: Settings) -> AsyncGenerator[list[Check]]:
    """Open the health checks. The service requires the database and its migrations; the other dependencies may be down for a while."""
    postgres = PostgresHealth(settings.database_url.get_secret_value(), settings.outbox_lag_limit)
    checks = [
        Check("postgres", postgres.server, is_required=True),
        Check("migrations", postgres.migrations, is_required=True),
        Check("rights", lambda: postgres.rights(missing_rights), is_required=True),
        Check("durability", postgres.durability, is_required=False),
        Check("outbox", postgres.outbox, is_required=False),
        Check("audit log", postgres.audit_log, is_required=False),
        Check("erasures", postgres.erasures, is_required=False),
    ]
    if settings.database_read_url is not None:
        replica = PostgresHealth(settings.database_read_url.get_secret_value(), settings.outbox_lag_limit)
        checks.append(Check("replica", replica.replica, is_required=False))
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store_of(settings.redis_url))
            checks.append(Check("redis", lambda: _probe(store), is_required=False))
        if settings.nats_url is not None:
            broker = await stack.enter_async_context(open_broker_of(settings, settings.nats_url))
            checks.append(Check("nats", lambda: _inspect(broker, settings.nats_monitoring_url), is_required=False))
            checks.append(Check("stream", lambda: postgres.stream(broker.extent, retention(settings)), is_required=False))
            checks.append(Check("nats durability", lambda: _sync_policy(settings.nats_monitoring_url), is_required=False))
        yield checks


async def _sync_policy(monitoring_url: SecretStr | None) -> str:
    if monitoring_url is None:
        return "unknown: nats_monitoring_url is not set, and only the monitoring endpoint reports the sync interval"
    return await sync_policy(monitoring_url.get_secret_value())


async def _probe(store: RedisCacheStore) -> str:
    try:
        await store.probe()
    except CacheUnavailable as error:
        raise Unhealthy(str(error)) from error
    return "connected, accepts writes"


async def _inspect(broker: NatsBroker, monitoring_url: SecretStr | None) -> str:
    try:
        differences = await broker.differences()
    except BrokerUnavailable as error:
        raise Unhealthy(str(error)) from error
    if monitoring_url is not None:
        await require_storage(monitoring_url.get_secret_value())
    if differences:
        raise Unhealthy(f"connected, and the stream differs from the settings: {'; '.join(differences)}")
    return "connected, the stream exists"
