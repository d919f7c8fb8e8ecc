"""The registry of consumers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shop.application.messaging import cache_invalidation, notifications, sales, session_revocation
from shop.application.messaging.backoff import Backoff
from shop.application.messaging.cache_invalidation import CacheInvalidation
from shop.application.messaging.claiming_consumer import ClaimingConsumer
from shop.application.messaging.consumer import Consumer, Verdict
from shop.application.messaging.dead_letters import DeadLetterStores, OutsideReplay, Replay
from shop.application.messaging.idempotent_consumer import Handler, IdempotentConsumer
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.application.messaging.messages import Message
from shop.application.messaging.notifications import Notifier
from shop.application.messaging.reader import EventProcessor, Graveyard, HandlingRefused, MessageReader
from shop.application.messaging.session_revocation import SessionRevocation
from shop.bootstrap.adapters import Broker
from shop.bootstrap.consumer_names import ConsumerName
from shop.domain.events import Event
from shop.infrastructure.metrics import MessagingMetrics
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.recipients import PostgresRecipients
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.telemetry import traced

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Unordered:
    """How events are handled that need no order: `at_once` at the same time. None waits for one that failed, which has waits of its own."""

    retries: Backoff
    at_once: int


@dataclass(frozen=True, slots=True)
class Registered:
    """A consumer: its events, where its dead letters are stored, what processes the events, and how dead letters are replayed.

    `unordered` is for one whose events need no order.
    """

    events: Collection[type[Event]]
    graveyard: Graveyard
    process: EventProcessor
    replay: Replay[_Stores] | OutsideReplay[_Stores]
    unordered: Unordered | None = None


def registry_of(
    pool: Pool, invalidation: CacheInvalidation | None, revocation: SessionRevocation | None, notifier: Notifier | None
) -> dict[ConsumerName, Registered]:
    """Return the registry of consumers: each handler with its events, an inbox, and the effects that it writes to."""
    ledger: PostgresInbox[sales.SalesLedger] = PostgresInbox(pool, ConsumerName.SALES, PostgresSalesLedger)
    found = {ConsumerName.SALES: _by_handler(ledger, sales.EVENTS, sales.record_sales, lambda stores: stores.sales)}
    if invalidation is not None:
        found[ConsumerName.CACHE] = _idempotent(pool, ConsumerName.CACHE, cache_invalidation.EVENTS, invalidation.process)
    if revocation is not None:
        found[ConsumerName.SESSIONS] = _idempotent(pool, ConsumerName.SESSIONS, session_revocation.EVENTS, revocation.process)
    if notifier is not None:
        recipients: PostgresInbox[notifications.Recipients] = PostgresInbox(pool, ConsumerName.NOTIFICATIONS, PostgresRecipients)
        found[ConsumerName.NOTIFICATIONS] = _by_mail(recipients, notifications.Notices(notifier))
    return found


class _Stores(DeadLetterStores, Protocol):
    """The repositories that the replays require."""

    @property
    def sales(self) -> sales.SalesLedger: ...

    @property
    def recipients(self) -> notifications.Recipients: ...


def _by_handler(
    inbox: PostgresInbox[F], events: Collection[type[Event]], handler: Handler[F], effects: Callable[[_Stores], F]
) -> Registered:
    """Register a consumer whose handler writes to the database."""

    async def replay(event: Event, message: Message, stores: _Stores) -> Verdict:
        await handler(event, message, effects(stores))
        return Verdict.HANDLED

    return Registered(events, inbox, IdempotentConsumer(inbox, handler), replay)


def _by_mail(inbox: PostgresInbox[notifications.Recipients], notices: notifications.Notices) -> Registered:
    """Register the consumer that writes to users. Only an operator's replay sends in a transaction, which is that of its settlement.

    Its count is never taken back: two replays at the same time may share it.
    """

    async def prepare(event: Event, message: Message, stores: _Stores) -> Replay[_Stores]:
        prepared = await notices.prepare(event, message, stores.recipients)
        if prepared is None:
            # The letter is kept, since its recipient may get a notice tomorrow.
            raise HandlingRefused(
                "there is no notice to send: the recipient is gone or has had as many as allowed today, or the event is older than a day"
            )

        async def send(_event: Event, _message: Message, _stores: _Stores) -> Verdict:
            await notices.carry_out(prepared)
            return Verdict.HANDLED

        return send

    process = ClaimingConsumer(inbox, notices)
    return Registered(notifications.EVENTS, inbox, process, OutsideReplay(prepare), Unordered(notifications.RETRIES, notifications.AT_ONCE))


def _idempotent(pool: Pool, name: ConsumerName, events: Collection[type[Event]], process: EventProcessor) -> Registered:
    """Register a consumer that is idempotent by nature: its inbox stores failures and dead letters only."""
    return Registered(events, PostgresInbox(pool, name, lambda _: None), process, lambda event, message, _: process(event, message))


def consumer_of(broker: Broker, metrics: MessagingMetrics, name: ConsumerName, each: Registered, *, buries_newer: bool) -> Consumer:
    """Return a registered consumer, subscribed to its events in all partitions."""
    reader = MessageReader(each.events, each.graveyard, each.process, buries_newer=buries_newer)
    interests = [Interest(reader.types, partition) for partition in range(PARTITIONS)]
    process = metrics.counted(name, traced(name, reader))
    subscriptions = [broker.subscribe(name, interest, is_ordered=each.unordered is None) for interest in interests]
    if each.unordered is None:
        return Consumer(subscriptions, process)
    return Consumer(subscriptions, process, after_failure=each.unordered.retries, at_once=each.unordered.at_once)
