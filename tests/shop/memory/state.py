"""The state that the adapters in memory share within a transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from shop.application.commands.login_attempts import Login
from shop.application.messaging.broker import Place
from shop.application.messaging.messages import Message
from shop.application.reads.models import DailySales
from shop.application.transactions.answers import StoredAnswer
from shop.application.transactions.audit import AuditEntry
from shop.application.transactions.failures import UnitOfWorkClosed
from shop.domain.money import Currency
from shop.domain.orders import Order
from shop.domain.users import User
from shop.domain.values import OrderId, UserId


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message in the outbox."""

    position: int
    message: Message
    due_at: datetime
    attempts: int = 0
    last_error: str = ""
    published_at: datetime | None = None
    dead_at: datetime | None = None
    place: Place | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it is to be published."""
        return self.published_at is None and self.dead_at is None


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A message in the inbox of a consumer."""

    event_type: str
    attempts: int = 0
    last_error: str = ""
    handled_at: datetime | None = None
    dead_at: datetime | None = None
    dead_message: Message | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it was handled or is a dead letter."""
        return self.handled_at is not None or self.dead_at is not None


InboxKey: TypeAlias = tuple[str, uuid.UUID]
"""A consumer and the id of a message."""


@dataclass
class MemoryState:
    """All rows. The values are immutable, so a shallow copy is a snapshot."""

    users: dict[UserId, User] = field(default_factory=dict[UserId, User])
    orders: dict[OrderId, Order] = field(default_factory=dict[OrderId, Order])
    audit: list[tuple[datetime, AuditEntry]] = field(default_factory=list[tuple[datetime, AuditEntry]])
    outbox: dict[int, OutboxRow] = field(default_factory=dict[int, OutboxRow])
    inbox: dict[InboxKey, InboxRow] = field(default_factory=dict[InboxKey, InboxRow])
    sales: dict[tuple[date, Currency], DailySales] = field(default_factory=dict[tuple[date, Currency], DailySales])
    logins: dict[Login, tuple[int, datetime]] = field(default_factory=dict[Login, tuple[int, datetime]])
    answers: dict[tuple[str, str], tuple[datetime, StoredAnswer]] = field(
        default_factory=dict[tuple[str, str], tuple[datetime, StoredAnswer]]
    )
    last_position: int = 0
    commits: int = 0

    def copy(self) -> MemoryState:
        """Return a snapshot."""
        return replace(
            self,
            users=dict(self.users),
            orders=dict(self.orders),
            audit=list(self.audit),
            outbox=dict(self.outbox),
            inbox=dict(self.inbox),
            sales=dict(self.sales),
            logins=dict(self.logins),
            answers=dict(self.answers),
        )


class MemoryTransaction:
    """The state of one transaction until its end."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self._has_ended = False
        self._now = datetime.now(UTC)

    @property
    def state(self) -> MemoryState:
        """The state as this transaction sees it. Raises `UnitOfWorkClosed` after its end."""
        if self._has_ended:
            raise UnitOfWorkClosed("a repository was used after the end of its transaction")
        return self._state

    def restore(self, state: MemoryState) -> None:
        """Restore a snapshot."""
        self._state = state

    def end(self) -> MemoryState:
        """End the transaction, and return its state."""
        state = self.state
        self._has_ended = True
        return state

    @property
    def has_ended(self) -> bool:
        """Whether the transaction has ended."""
        return self._has_ended

    def tick(self) -> datetime:
        """Return the time, which increases with each call, however coarse the clock."""
        self._now = max(datetime.now(UTC), self._now + timedelta(microseconds=1))
        return self._now
