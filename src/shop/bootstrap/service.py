"""The composition of the service."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from shop.application.commands.address_limit import AddressLimit, LimitedUsers
from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.pruning import MessagePruning
from shop.application.commands.recovery import Recovery
from shop.application.commands.seeds import SeedCommands
from shop.application.commands.sessions import SessionCommands
from shop.application.commands.users import UserCommands
from shop.application.health import Check, Unhealthy
from shop.application.messaging import cache_invalidation, session_revocation
from shop.application.messaging.backlog import BacklogMeter
from shop.application.messaging.cache_invalidation import CacheInvalidation
from shop.application.messaging.consumer import Consumer
from shop.application.messaging.dead_letters import DeadLetters
from shop.application.messaging.relay import Relay
from shop.application.messaging.retirement import Retirement
from shop.application.messaging.session_revocation import SessionRevocation
from shop.application.messaging.subscribers import Subscriber, Subscribers
from shop.application.rates import RateLimit
from shop.application.reads.cache import CacheOptions, CacheStore, ReadCache
from shop.application.reads.cursors import Cursors
from shop.application.reads.query_service import QueryService
from shop.application.reads.replica import Replica
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.trail import AuditTrail
from shop.bootstrap.adapters import (
    Broker,
    access_tokens,
    hasher,
    notifier,
    open_broker_of,
    open_cache_store_of,
    open_session_store_of,
    pool_options,
    read_cache,
    retention,
)
from shop.bootstrap.consumers import consumer_of, registry_of
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.metrics import CacheMetrics, MessagingMetrics, PoolMetrics, UseCaseMetrics
from shop.infrastructure.postgres.messaging.backlog import PostgresBacklog
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import Pool, open_pool
from shop.infrastructure.postgres.reads.repositories import read_repositories, sign_pages
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.infrastructure.redis.rates import open_rate_limit
from shop.infrastructure.settings.cursor_keys import cursor_keys
from shop.infrastructure.settings.model import Settings

# Seconds to wait for a connection to the replica: the primary is faster than a longer wait.
_REPLICA_WAIT = 2.0
# Seconds to wait for a connection to see whether the pool has any.
_PROBE_WAIT = 1.0
# Without a setting, cursors are signed by a key of the process.
_CURSOR_KEY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Adapters:
    """Replacements for the adapters named by the settings, for tests, and further subscribers to the events of this process."""

    passwords: PasswordHasher | None = None
    cache: CacheStore | None = None
    broker: Broker | None = None
    subscribers: Sequence[Subscriber] = ()


@dataclass(frozen=True, slots=True)
class Shop:
    """The composed service.

    Without a broker `relay`, `broker`, `retirement` and `consumers` are None; without Redis there are no consumers `cache` and `sessions`,
    and each process has sessions of its own; without a mail server there is no consumer `notifications`. `usage` are the metrics of use
    cases, pools and cache. `limited_users` are for clients of the network, and `users` for callers whose address is not limited.
    """

    users: UserCommands
    limited_users: LimitedUsers
    sessions: SessionCommands
    orders: OrderCommands
    reads: QueryService
    trail: AuditTrail
    cache: ReadCache
    seeds: SeedCommands
    pruning: MessagePruning
    recovery: Recovery
    dead_letters: DeadLetters[Any]
    has_shared_sessions: bool
    rates: RateLimit
    pool_check: Check
    backlog: BacklogMeter
    usage: CollectorRegistry
    metrics: MessagingMetrics
    broker: Broker | None
    retirement: Retirement | None
    relay: Relay | None
    consumers: dict[str, Consumer] | None


@asynccontextmanager
async def open_shop(
    settings: Settings, adapters: Adapters = Adapters(), *, is_trusted: bool = False, waits: bool = False
) -> AsyncGenerator[Shop]:
    """Compose the service. Raises `DatabaseNotReady`; a replica, Redis and NATS may become available later, with `waits` PostgreSQL too.

    Where its callers are trusted, cursors are signed only if there are keys. Others get cursors that are signed in any case.
    """
    keys = cursor_keys(settings.cursor_keys.get_secret_value()) or ([] if is_trusted else [_CURSOR_KEY])
    sign_pages(*keys)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings.database_url.get_secret_value(), pool_options(settings), waits=waits))
        pools = {"primary": pool}
        replica: Replica | None = None
        if settings.database_read_url is not None:
            # Without idle connections: the pool would try to restore them all the time, and log it, while the replica is down.
            options = replace(pool_options(settings), min_size=0, wait_timeout=min(settings.pool_wait_timeout, _REPLICA_WAIT))
            replica_url = settings.database_read_url.get_secret_value()
            pools["replica"] = await stack.enter_async_context(open_pool(replica_url, options, is_required=False))
            replica = Replica(read_repositories(pools["replica"]))
        store = adapters.cache
        if store is None and settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store_of(settings.redis_url))
        broker: Broker | None = adapters.broker
        if broker is None and settings.nats_url is not None:
            broker = await stack.enter_async_context(open_broker_of(settings, settings.nats_url))

        usage = CollectorRegistry()
        # Without Redis the cache is private to this process and not read from: other processes could not invalidate it.
        cache = read_cache(store or MemoryCacheStore(), CacheOptions(ttl=settings.cache_ttl))
        invalidation = CacheInvalidation(cache)
        url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
        sessions = (
            MemorySessionStore()
            if settings.redis_url is None
            else await stack.enter_async_context(open_session_store_of(settings.redis_url))
        )
        observe = UseCaseMetrics(usage).observe
        reads = QueryService(read_repositories(pool), None if store is None else cache, replica, Cursors(*keys), observe=observe)
        revocation = SessionRevocation(sessions, reads.standing)
        subscribers = Subscribers(
            Subscriber(cache_invalidation.EVENTS, invalidation.after_commit),
            Subscriber(session_revocation.EVENTS, revocation.after_commit),
            *adapters.subscribers,
        )
        begin = units_of_work(pool, settings.isolation)
        transactions = Transactions(
            begin,
            after_commit=subscribers,
            retries=Retries(attempts=settings.retry_attempts, deadline=settings.use_case_timeout),
            observe=observe,
        )
        mail = None if settings.smtp_url is None else notifier(settings.smtp_url, settings.mail_sender)
        metrics = MessagingMetrics(usage)
        # Unchecked: a message whose connection broke is redelivered, and a check would take a quarter of the time of each.
        unchecked = replace(pool_options(settings), min_size=0, is_checked=False, autocommit=False)
        inboxes = await stack.enter_async_context(open_pool(settings.database_url.get_secret_value(), unchecked, is_required=False))
        pools["inbox"] = inboxes
        usage.register(PoolMetrics(pools))
        if store is not None:
            usage.register(CacheMetrics(cache))
        optional = (None if store is None else invalidation, None if url is None else revocation, mail)
        registry = registry_of(inboxes, *optional)
        users = UserCommands(transactions, adapters.passwords or hasher(settings))
        limit = AddressLimit(transactions, await stack.enter_async_context(open_rate_limit("logins", settings.http_login_limit, url)))
        trail = AuditTrail(begin)
        yield Shop(
            users=users,
            limited_users=LimitedUsers(users, limit),
            sessions=SessionCommands(
                users,
                transactions,
                sessions,
                access_tokens(settings),
                timedelta(hours=settings.session_hours),
                remembered=settings.session_check_interval,
                limit=limit,
            ),
            orders=OrderCommands(transactions),
            reads=reads,
            trail=trail,
            cache=cache,
            seeds=SeedCommands(transactions),
            pruning=MessagePruning(transactions, retention(settings), timedelta(hours=settings.answer_retention_hours)),
            recovery=Recovery(transactions),
            dead_letters=DeadLetters(transactions, {str(name): each.replay for name, each in registry.items()}),
            has_shared_sessions=url is not None,
            rates=await stack.enter_async_context(open_rate_limit("rate", settings.http_rate_limit, url)),
            pool_check=Check("connections", lambda: _can_connect(pool), is_required=True),
            backlog=BacklogMeter(PostgresBacklog(pool), broker),
            usage=usage,
            metrics=metrics,
            broker=broker,
            retirement=None if broker is None else Retirement(broker, trail),
            relay=None if broker is None else _relay(pool, broker, metrics, settings.relay_batch_size),
            consumers=None
            if broker is None
            else {
                str(name): consumer_of(broker, metrics, name, each, buries_newer=settings.bury_newer_events)
                for name, each in registry.items()
            },
        )


def _relay(pool: Pool, broker: Broker, metrics: MessagingMetrics, batch_size: int) -> Relay:
    return Relay(PostgresPendingMessages(pool), metrics.publisher(broker), batch_size=batch_size)


async def _can_connect(pool: Pool) -> str:
    if not await pool.can_lend(_PROBE_WAIT):
        raise Unhealthy("the pool has no connection")
    return "the pool has connections"
