"""The composition root: the only module that imports adapters."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.pruning import MessagePruning
from shop.application.commands.recovery import Recovery
from shop.application.commands.seeds import SeedCommands
from shop.application.commands.sessions import SessionCommands
from shop.application.commands.users import UserCommands
from shop.application.context import Context
from shop.application.health import Check, Unhealthy
from shop.application.messaging import cache_invalidation, notifications, sales, session_revocation
from shop.application.messaging.backlog import BacklogMeter, MeasurableStream
from shop.application.messaging.broker import BrokerUnavailable, Publisher, Subscription
from shop.application.messaging.cache_invalidation import CacheInvalidation
from shop.application.messaging.consumer import Consumer, Verdict
from shop.application.messaging.dead_letters import DeadLetters, DeadLetterStores, Replay
from shop.application.messaging.idempotent_consumer import Handler, IdempotentConsumer
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.application.messaging.messages import Message
from shop.application.messaging.notifications import Notifier
from shop.application.messaging.reader import EventProcessor, Graveyard, MessageReader
from shop.application.messaging.relay import Relay
from shop.application.messaging.session_revocation import SessionRevocation
from shop.application.messaging.status import StatusListener, StatusSender
from shop.application.messaging.subscribers import Subscriber, Subscribers
from shop.application.rates import RateLimit
from shop.application.reads.cache import CacheOptions, CacheStore, CacheUnavailable, ReadCache
from shop.application.reads.cache_breaker import CacheBreaker
from shop.application.reads.cursors import Cursors
from shop.application.reads.query_service import QueryService
from shop.application.reads.replica import Replica
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.trail import AuditTrail
from shop.domain.events import Event
from shop.infrastructure.logging import configure_logging
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.metrics import CacheMetrics, MessagingMetrics, PoolMetrics, UseCaseMetrics
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.nats.monitoring import sync_policy
from shop.infrastructure.passwords import Argon2PasswordHasher, parameters
from shop.infrastructure.postgres.administration.audit_partitions import MaintainedPartitions, maintain_partitions
from shop.infrastructure.postgres.administration.owner import NotTheOwner, owner_transaction
from shop.infrastructure.postgres.administration.rights import grant_rights, missing_rights
from shop.infrastructure.postgres.health import PostgresHealth
from shop.infrastructure.postgres.messaging.backlog import PostgresBacklog
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import DatabaseNotReady, Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.reads.repositories import read_repositories, sign_pages
from shop.infrastructure.postgres.transactions.recipients import PostgresRecipients
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.infrastructure.rates import open_rate_limit
from shop.infrastructure.redis.cache_store import RedisCacheStore, open_cache_store
from shop.infrastructure.redis.sessions import open_session_store
from shop.infrastructure.settings.cursor_keys import cursor_keys
from shop.infrastructure.settings.loading import LoadedSettings, SettingsError, load_settings
from shop.infrastructure.settings.model import LogFormat, LogLevel, Settings, TraceExporter
from shop.infrastructure.settings.proxies import trusted_networks
from shop.infrastructure.smtp import SmtpNotifier
from shop.infrastructure.spans import Span, read_spans
from shop.infrastructure.telemetry import traced
from shop.infrastructure.tokens import SignedAccessTokens
from shop.infrastructure.tracing import configure_tracing

__all__ = [
    "REQUIRED_BY",
    "Adapters",
    "Broker",
    "ConsumerName",
    "DatabaseNotReady",
    "LoadedSettings",
    "LogFormat",
    "LogLevel",
    "NotTheOwner",
    "Settings",
    "SettingsError",
    "Shop",
    "Span",
    "TraceExporter",
    "configure_logging",
    "configure_tracing",
    "grant_to",
    "health_checks",
    "load_settings",
    "maintain_audit_log",
    "open_shop",
    "read_spans",
    "trusted_networks",
]


F = TypeVar("F")

# Seconds to wait for a connection to the replica: the primary is faster than a longer wait.
_REPLICA_WAIT = 2.0
# Seconds to wait for a connection to see whether the pool has any.
_PROBE_WAIT = 1.0
# Without a setting, cursors are signed by a key of the process.
_CURSOR_KEY = secrets.token_bytes(32)


class Broker(Publisher, MeasurableStream, StatusSender, StatusListener, Protocol):
    """A broker that publishes and delivers."""

    def subscribe(self, consumer: str, interest: Interest) -> Subscription:
        """Return the subscription of a consumer to its interest."""
        ...

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were. Raises `BrokerUnavailable`."""
        ...


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

    Without a broker `relay`, `broker` and `consumers` are None; without Redis there are no consumers `cache` and `sessions`, and each
    process has sessions of its own; without a mail server there is no consumer `notifications`. `usage` are the metrics of use cases, pools
    and cache.
    """

    users: UserCommands
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
    connections: Check
    backlog: BacklogMeter
    usage: CollectorRegistry
    metrics: MessagingMetrics
    broker: Broker | None
    relay: Relay | None
    consumers: dict[str, Consumer] | None


@asynccontextmanager
async def open_shop(settings: Settings, adapters: Adapters = Adapters(), *, is_trusted: bool = False) -> AsyncGenerator[Shop]:
    """Compose the service. Raises `DatabaseNotReady`; a replica, Redis and NATS may become available later.

    Where its callers are trusted, cursors are signed only if there are keys. Others get cursors that are signed in any case.
    """
    keys = cursor_keys(settings.cursor_keys.get_secret_value()) or ([] if is_trusted else [_CURSOR_KEY])
    sign_pages(*keys)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings.database_url.get_secret_value(), _pool_options(settings)))
        pools = {"primary": pool}
        replica: Replica | None = None
        if settings.database_read_url is not None:
            # Without idle connections: the pool would try to restore them all the time, and log it, while the replica is down.
            options = replace(_pool_options(settings), min_size=0, wait_timeout=min(settings.pool_wait_timeout, _REPLICA_WAIT))
            replica_url = settings.database_read_url.get_secret_value()
            pools["replica"] = await stack.enter_async_context(open_pool(replica_url, options, is_required=False))
            replica = Replica(read_repositories(pools["replica"]))
        store = adapters.cache
        if store is None and settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store(settings.redis_url.get_secret_value()))
        broker: Broker | None = adapters.broker
        if broker is None and settings.nats_url is not None:
            broker = await stack.enter_async_context(_broker(settings, settings.nats_url))

        # Without Redis the cache is private to this process and not read from: other processes could not invalidate it.
        cache = _read_cache(store or MemoryCacheStore(), CacheOptions(ttl=settings.cache_ttl))
        invalidation = CacheInvalidation(cache)
        url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
        sessions = MemorySessionStore() if url is None else await stack.enter_async_context(open_session_store(url))
        revocation = SessionRevocation(sessions)
        subscribers = Subscribers(
            Subscriber(cache_invalidation.EVENTS, invalidation.after_commit),
            Subscriber(session_revocation.EVENTS, revocation.after_commit),
            *adapters.subscribers,
        )
        usage = CollectorRegistry()
        observe = UseCaseMetrics(usage).observe
        begin = units_of_work(pool, settings.isolation)
        transactions = Transactions(
            begin,
            after_commit=subscribers,
            retries=Retries(attempts=settings.retry_attempts, deadline=settings.use_case_timeout),
            observe=observe,
        )
        smtp = settings.smtp_url
        notifier = None if smtp is None else SmtpNotifier(smtp.get_secret_value(), settings.mail_sender)
        metrics = MessagingMetrics(usage)
        # Unchecked: a message whose connection broke is redelivered, and a check would take a quarter of the time of each.
        unchecked = replace(_pool_options(settings), min_size=0, is_checked=False)
        inboxes = await stack.enter_async_context(open_pool(settings.database_url.get_secret_value(), unchecked, is_required=False))
        pools["inbox"] = inboxes
        usage.register(PoolMetrics(pools))
        if store is not None:
            usage.register(CacheMetrics(cache))
        optional = (None if store is None else invalidation, None if url is None else revocation, notifier)
        registry = _registry(inboxes, *optional)
        users = UserCommands(transactions, adapters.passwords or _hasher(settings))
        yield Shop(
            users=users,
            sessions=SessionCommands(
                users,
                transactions,
                sessions,
                _access_tokens(settings),
                timedelta(hours=settings.session_hours),
                remembered=settings.session_check_interval,
                rates=await stack.enter_async_context(open_rate_limit("logins", settings.http_login_limit, url)),
            ),
            orders=OrderCommands(transactions),
            reads=QueryService(read_repositories(pool), None if store is None else cache, replica, Cursors(*keys), observe=observe),
            trail=AuditTrail(begin),
            cache=cache,
            seeds=SeedCommands(transactions),
            pruning=MessagePruning(transactions, _retention(settings), timedelta(hours=settings.answer_retention_hours)),
            recovery=Recovery(transactions),
            dead_letters=DeadLetters(transactions, {str(name): each.replay for name, each in registry.items()}),
            has_shared_sessions=url is not None,
            rates=await stack.enter_async_context(open_rate_limit("rate", settings.http_rate_limit, url)),
            connections=Check("connections", lambda: _can_connect(pool), is_required=True),
            backlog=BacklogMeter(PostgresBacklog(pool), broker),
            usage=usage,
            metrics=metrics,
            broker=broker,
            relay=None if broker is None else _relay(pool, broker, metrics, settings.relay_batch_size),
            consumers=None
            if broker is None
            else {
                str(name): _consumer(broker, metrics, name, each, buries_newer=settings.bury_newer_events)
                for name, each in registry.items()
            },
        )


class ConsumerName(StrEnum):
    """The consumers. Each is in the registry, and the command line, the partitions and the replay of dead letters follow from that."""

    SALES = "sales"
    CACHE = "cache"
    SESSIONS = "sessions"
    NOTIFICATIONS = "notifications"


REQUIRED_BY: Final[Mapping[ConsumerName, str]] = {
    ConsumerName.CACHE: "redis_url",
    ConsumerName.SESSIONS: "redis_url",
    ConsumerName.NOTIFICATIONS: "smtp_url",
}
"""The setting without which a consumer has nothing to do, and is not in the registry."""


@dataclass(frozen=True, slots=True)
class _Registered:
    """A consumer: its events, where its dead letters are stored, what processes the events, and how dead letters are replayed."""

    events: Collection[type[Event]]
    graveyard: Graveyard
    process: EventProcessor
    replay: Replay[_Stores]


def _registry(
    pool: Pool, invalidation: CacheInvalidation | None, revocation: SessionRevocation | None, notifier: Notifier | None
) -> dict[ConsumerName, _Registered]:
    """Return the registry of consumers: each handler with its events, an inbox, and the effects that it writes to."""
    ledger: PostgresInbox[sales.SalesLedger] = PostgresInbox(pool, ConsumerName.SALES, PostgresSalesLedger)
    found = {ConsumerName.SALES: _by_handler(ledger, sales.EVENTS, sales.record_sales, lambda stores: stores.sales)}
    if invalidation is not None:
        found[ConsumerName.CACHE] = _by_nature(pool, ConsumerName.CACHE, cache_invalidation.EVENTS, invalidation.process)
    if revocation is not None:
        found[ConsumerName.SESSIONS] = _by_nature(pool, ConsumerName.SESSIONS, session_revocation.EVENTS, revocation.process)
    if notifier is not None:
        recipients: PostgresInbox[notifications.Recipients] = PostgresInbox(pool, ConsumerName.NOTIFICATIONS, PostgresRecipients)
        handler = notifications.notify_by(notifier)
        found[ConsumerName.NOTIFICATIONS] = _by_handler(recipients, notifications.EVENTS, handler, lambda stores: stores.recipients)
    return found


class _Stores(DeadLetterStores, Protocol):
    """The repositories that the replays require."""

    @property
    def sales(self) -> sales.SalesLedger: ...

    @property
    def recipients(self) -> notifications.Recipients: ...


def _by_handler(
    inbox: PostgresInbox[F], events: Collection[type[Event]], handler: Handler[F], effects: Callable[[_Stores], F]
) -> _Registered:
    """Register a consumer whose handler writes to the database."""

    async def replay(event: Event, message: Message, stores: _Stores) -> Verdict:
        await handler(event, message, effects(stores))
        return Verdict.HANDLED

    return _Registered(events, inbox, IdempotentConsumer(inbox, handler), replay)


def _by_nature(pool: Pool, name: ConsumerName, events: Collection[type[Event]], process: EventProcessor) -> _Registered:
    """Register a consumer that is idempotent by nature: its inbox stores failures and dead letters only."""
    return _Registered(events, PostgresInbox(pool, name, lambda _: None), process, lambda event, message, _: process(event, message))


def _relay(pool: Pool, broker: Broker, metrics: MessagingMetrics, batch_size: int) -> Relay:
    return Relay(PostgresPendingMessages(pool), metrics.publisher(broker), batch_size=batch_size)


def _consumer(broker: Broker, metrics: MessagingMetrics, name: ConsumerName, each: _Registered, *, buries_newer: bool) -> Consumer:
    reader = MessageReader(each.events, each.graveyard, each.process, buries_newer=buries_newer)
    interests = [Interest(reader.types, partition) for partition in range(PARTITIONS)]
    process = metrics.counted(name, traced(name, reader))
    return Consumer([broker.subscribe(name, interest) for interest in interests], process)


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
    ]
    if settings.database_read_url is not None:
        replica = PostgresHealth(settings.database_read_url.get_secret_value(), settings.outbox_lag_limit)
        checks.append(Check("replica", replica.replica, is_required=False))
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            store = await stack.enter_async_context(open_cache_store(settings.redis_url.get_secret_value()))
            checks.append(Check("redis", lambda: _probe(store), is_required=False))
        if settings.nats_url is not None:
            broker = await stack.enter_async_context(_broker(settings, settings.nats_url))
            checks.append(Check("nats", lambda: _connect(broker), is_required=False))
            checks.append(Check("stream", lambda: postgres.stream(broker.extent, _retention(settings)), is_required=False))
            checks.append(Check("nats durability", lambda: _sync_policy(settings.nats_monitoring_url), is_required=False))
        yield checks


async def grant_to(settings: Settings, role: str) -> bool:
    """Let a role have exactly the rights of the service, and return whether it was created. Raises `DatabaseNotReady` or `NotTheOwner`."""
    async with owner_transaction(settings.database_url.get_secret_value()) as conn:
        return await grant_rights(conn, role)


async def maintain_audit_log(settings: Settings, context: Context) -> MaintainedPartitions:
    """Create the next partitions of the audit log, and drop those past the retention. Raises `DatabaseNotReady` or `NotTheOwner`."""
    async with owner_transaction(settings.database_url.get_secret_value()) as conn:
        return await maintain_partitions(conn, context, settings.audit_retention_months or None)


def _read_cache(store: CacheStore, options: CacheOptions) -> ReadCache:
    return ReadCache(CacheBreaker(store, lifetime=options.ttl + options.lease), options)


def _hasher(settings: Settings) -> Argon2PasswordHasher:
    cost = parameters(memory_kib=settings.password_memory_kib, passes=settings.password_passes, lanes=settings.password_lanes)
    return Argon2PasswordHasher(cost)


def _access_tokens(settings: Settings) -> SignedAccessTokens:
    return SignedAccessTokens(
        keys=Path(settings.token_keys) if settings.token_keys else None,
        signing_id=settings.token_signing_key,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetime=timedelta(seconds=settings.token_lifetime),
    )


def _pool_options(settings: Settings) -> PoolOptions:
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


def _broker(settings: Settings, url: SecretStr) -> AbstractAsyncContextManager[NatsBroker]:
    return open_broker(url.get_secret_value(), settings.nats_stream, _retention(settings))


def _retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.message_retention_days)


async def _sync_policy(monitoring_url: SecretStr | None) -> str:
    if monitoring_url is None:
        return "unknown: nats_monitoring_url is not set, and only the monitoring endpoint reports the sync interval"
    return await sync_policy(monitoring_url.get_secret_value())


async def _can_connect(pool: Pool) -> str:
    if not await pool.can_lend(_PROBE_WAIT):
        raise Unhealthy("the pool has no connection")
    return "the pool has connections"


async def _probe(store: RedisCacheStore) -> str:
    try:
        await store.probe()
    except CacheUnavailable as error:
        raise Unhealthy(str(error)) from error
    return "connected, accepts writes"


async def _connect(broker: NatsBroker) -> str:
    try:
        await broker.jetstream()
    except BrokerUnavailable as error:
        raise Unhealthy(str(error)) from error
    return "connected, the stream exists"
