"""The state that the in-memory adapters share within a transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from shop.application.audit import AuditEntry
from shop.application.broker import Place
from shop.application.messages import Message
from shop.application.read_models import DailySales
from shop.application.unit_of_work import UnitOfWorkClosed
from shop.domain.money import Currency
from shop.domain.orders import Order, OrderId
from shop.domain.users import User
from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way."""

    position: int
    message: Message
    due_at: datetime
    attempts: int = 0
    last_error: str = ""
    published_at: datetime | None = None
    dead_at: datetime | None = None
    place: Place | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to be published."""
        return self.published_at is None and self.dead_at is None


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A message that a consumer has seen."""

    event_type: str
    attempts: int = 0
    last_error: str = ""
    handled_at: datetime | None = None
    dead_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it was handled or given up."""
        return self.handled_at is not None or self.dead_at is not None


InboxKey: TypeAlias = tuple[str, uuid.UUID]
"""A consumer, and a message's id."""


@dataclass
class MemoryState:
    """All rows. The values are immutable, so a shallow copy is a snapshot."""

    users: dict[UserId, User] = field(default_factory=dict[UserId, User])
    orders: dict[OrderId, Order] = field(default_factory=dict[OrderId, Order])
    audit: list[tuple[datetime, AuditEntry]] = field(default_factory=list[tuple[datetime, AuditEntry]])
    outbox: dict[int, OutboxRow] = field(default_factory=dict[int, OutboxRow])
    inbox: dict[InboxKey, InboxRow] = field(default_factory=dict[InboxKey, InboxRow])
    sales: dict[tuple[date, Currency], DailySales] = field(default_factory=dict[tuple[date, Currency], DailySales])
    logins: dict[EmailAddress, tuple[int, datetime]] = field(default_factory=dict[EmailAddress, tuple[int, datetime]])
    last_position: int = 0
    commits: int = 0

    def copy(self) -> MemoryState:
        """Give a snapshot."""
        return replace(
            self,
            users=dict(self.users),
            orders=dict(self.orders),
            audit=list(self.audit),
            outbox=dict(self.outbox),
            inbox=dict(self.inbox),
            sales=dict(self.sales),
            logins=dict(self.logins),
        )


class MemoryTransaction:
    """The state of one transaction, until it is over."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self._is_over = False
        self._now = datetime.now(UTC)

    @property
    def state(self) -> MemoryState:
        """The state as this transaction sees it. Raises `UnitOfWorkClosed` after its end."""
        if self._is_over:
            raise UnitOfWorkClosed("a repository was used after the end of its transaction")
        return self._state

    def restore(self, state: MemoryState) -> None:
        """Go back to a snapshot."""
        self._state = state

    def end(self) -> MemoryState:
        """End the transaction, and give what it made of the state."""
        state = self.state
        self._is_over = True
        return state

    @property
    def is_over(self) -> bool:
        """Whether it was ended."""
        return self._is_over

    def tick(self) -> datetime:
        """Give the time: later with each call, however coarse the clock is."""
        self._now = max(datetime.now(UTC), self._now + timedelta(microseconds=1))
        return self._now
