"""The ports of the service as the tests use them, over adapters of either kind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol, get_args

from shop.application.commands.address_limit import AddressLimit
from shop.application.commands.orders import OrderStores
from shop.application.commands.pruning import PrunableMessages, PruningStores
from shop.application.commands.recovery import RecoveryStores, RepublishableMessages
from shop.application.commands.seeds import SeedStores
from shop.application.commands.session_store import SessionStore
from shop.application.commands.sessions import SessionCommands
from shop.application.commands.users import UserCommands, UserStores
from shop.application.messaging.broker import Subscription
from shop.application.messaging.dead_letters import DeadLetterRepository
from shop.application.messaging.idempotent_consumer import Handler, IdempotentConsumer, Inbox
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.reader import MessageReader
from shop.application.messaging.relay import PendingMessages
from shop.application.messaging.sales import SalesLedger, record_sales
from shop.application.rates import RateLimit
from shop.application.reads.models import DailySales
from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.application.transactions.audit import AuditLog
from shop.application.transactions.runner import Transactions
from shop.application.transactions.unit_of_work import BeginUnitOfWork
from shop.domain.events import Event
from shop.domain.orders import OrderRepository
from shop.domain.users import UserRepository
from shop.domain.values import PasswordHash
from shop.infrastructure.nats.broker import NatsBroker
from shop.infrastructure.tokens import SignedAccessTokens

from .memory.broker import MemoryBroker

Broker = NatsBroker | MemoryBroker


class Messages(PrunableMessages, RepublishableMessages, Protocol):
    """The settled messages, as pruning and recovery use them."""


class Repositories(UserStores, OrderStores, SeedStores, PruningStores, RecoveryStores, Protocol):
    """All repositories of a unit of work."""

    @property
    def messages(self) -> Messages: ...

    @property
    def dead_letters(self) -> DeadLetterRepository: ...

    @property
    def sales(self) -> SalesLedger: ...


@dataclass(frozen=True)
class Ports:
    """Repositories of either kind, on the same data."""

    users: UserRepository
    orders: OrderRepository
    audit: AuditLog
    reads: ReadRepositories


class CheapHasher:
    """A fast `PasswordHasher` that stores the text itself, for tests about other things than hashing. Hashes of `v1` are outdated."""

    async def hash(self, password: str) -> PasswordHash:
        """Return a readable hash."""
        return PasswordHash(f"$v2${self._readable(password) or '0'}")

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Compare the texts."""
        return hashed is not None and hashed.encoded.rpartition("$")[2] == self._readable(password)

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Return whether the version is the old one."""
        return hashed.encoded.startswith("$v1$")

    @staticmethod
    def _readable(password: str) -> str:
        # As far as a hash may be long.
        return password.encode().hex()[:250]


@dataclass(frozen=True)
class Messaging:
    """The ports of outbox and inbox of either kind, on the same data as the units of work."""

    begin: BeginUnitOfWork[Repositories]
    pending: PendingMessages
    inbox: Callable[[str], Inbox[SalesLedger]]
    open_reads: OpenReadRepositories

    async def write(self, *events: Event) -> None:
        """Write events to the outbox."""
        async with self.begin() as uow:
            for event in events:
                await uow.outbox.add(event, "trace-1")
            await uow.commit()

    def process(self, handler: Handler[SalesLedger] = record_sales, *, attempts: int = 5, consumer: str = "sales") -> MessageReader:
        """Return the processor of a consumer of all events."""
        inbox = self.inbox(consumer)
        return MessageReader(get_args(Event), inbox, IdempotentConsumer(inbox, handler), attempts=attempts)

    async def sales(self) -> list[DailySales]:
        """Return the effect of the consumer `sales`."""
        async with self.open_reads() as reads:
            return list(await reads.orders.daily_sales(date.min))

    async def dead(self) -> list[tuple[str, uuid.UUID, str, int, str]]:
        """Return the dead letters: consumer, id, event type, number of attempts, last error."""
        async with self.open_reads() as reads:
            letters = (await reads.dead_letters.page(100)).letters
            return [(each.consumer, each.message_id, each.event_type, each.attempts, each.last_error) for each in letters]


async def receive_all(subscription: Subscription, expected: int = 0, wait: float = 0.1) -> list[Message]:
    """Receive and acknowledge the expected number of messages, and then more until none arrives within `wait` seconds."""
    messages: list[Message] = []
    while delivery := await subscription.next(wait if len(messages) >= expected else 30):
        messages.append(read_message(delivery.body))
        await delivery.accept()
    return messages


class Unlimited:
    """A `RateLimit` that allows everything."""

    async def hit(self, who: str) -> float | None:  # noqa: ARG002 - everyone is allowed
        return None


def session_commands(
    users: UserCommands,
    transactions: Transactions[UserStores],
    store: SessionStore,
    rates: RateLimit = Unlimited(),  # noqa: B008 it has no state
) -> SessionCommands:
    """Return the use cases of sessions, with a key of their own, and asking the store each time."""
    tokens = SignedAccessTokens(keys=None, signing_id="", issuer="shop", audience="shop", lifetime=timedelta(minutes=5))
    limit = AddressLimit(transactions, rates)
    return SessionCommands(users, transactions, store, tokens, timedelta(hours=1), remembered=0.0, limit=limit)
