"""The state that the in-memory adapters share within a transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shop.application.audit import AuditEntry
from shop.application.unit_of_work import UnitOfWorkClosed
from shop.domain.events import Event
from shop.domain.orders import Order, OrderId
from shop.domain.users import User
from shop.domain.values import UserId


@dataclass
class MemoryState:
    """All rows. The values are immutable, so a shallow copy is a snapshot."""

    users: dict[UserId, User] = field(default_factory=dict[UserId, User])
    orders: dict[OrderId, Order] = field(default_factory=dict[OrderId, Order])
    audit: list[tuple[datetime, AuditEntry]] = field(default_factory=list[tuple[datetime, AuditEntry]])
    events: list[tuple[Event, str]] = field(default_factory=list[tuple[Event, str]])
    commits: int = 0

    def copy(self) -> MemoryState:
        """Give a snapshot."""
        return MemoryState(dict(self.users), dict(self.orders), list(self.audit), list(self.events), self.commits)


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
