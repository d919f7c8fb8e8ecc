"""The unit of work: all that one transaction writes, or nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from shop.application.audit import AuditLog
from shop.application.login_attempts import LoginAttempts
from shop.application.seeding import SeedRepository
from shop.domain.events import Event
from shop.domain.orders import OrderRepository
from shop.domain.users import UserRepository


class EventOutbox(Protocol):
    """Keeps events until they are published. It takes part in its caller's transaction: what is rolled back was never said."""

    async def add(self, event: Event, trace_id: str) -> None:
        """Keep an event."""
        ...


class SettledMessages(Protocol):
    """Forgets messages that are done with, or has them published again, in its caller's transaction."""

    async def now(self) -> datetime:
        """Return the time of the store, by which messages were published and handled. The clock of this machine may differ."""
        ...

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove what was published before then, oldest first, and give how many."""
        ...

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove what consumers handled before then, oldest first, and give how many.

        What the outbox still has stays: it may be published and delivered again.
        """
        ...

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Have the first messages in this range of positions wait again that were published or given up, and return their positions."""
        ...


class Projections(Protocol):
    """What consumers build from events, and can be built anew. It takes part in its caller's transaction."""

    async def rebuild_sales(self) -> int:
        """Sum up the daily sales from the audit log, and return how many rows they are.

        Every event that is counted is noted as handled by the consumer `sales`, so that no delivery counts it again.
        """
        ...


class UnitOfWork(Protocol):
    """One transaction and the repositories that write in it. It is rolled back unless `commit` is called.

    Its repositories work until then, and until the end of its block; later they raise `UnitOfWorkClosed`.
    """

    @property
    def users(self) -> UserRepository:
        """The users as this transaction sees them."""
        ...

    @property
    def orders(self) -> OrderRepository:
        """The orders as this transaction sees them."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...

    @property
    def outbox(self) -> EventOutbox:
        """The events that this transaction tells of."""
        ...

    @property
    def seeds(self) -> SeedRepository:
        """What writes seeds."""
        ...

    @property
    def logins(self) -> LoginAttempts:
        """How often logins were tried."""
        ...

    @property
    def messages(self) -> SettledMessages:
        """The messages that are done with."""
        ...

    @property
    def projections(self) -> Projections:
        """What consumers have built."""
        ...

    async def commit(self) -> None:
        """Make everything permanent. Raises `TransactionConflict` or `CommitOutcomeUnknown`."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo what the block wrote, and that alone, if it raises. May be nested."""
        ...


BeginUnitOfWork: TypeAlias = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
"""Begins a transaction; its block may raise `TransactionConflict`, `StoreLost` or `StoreDefect` besides what its body raises."""


# --- What goes wrong beneath a use case: raised by the adapters, turned into values by `Transactions` ------------------


class TransactionConflict(Exception):
    """Another transaction was in the way, and this one was rolled back: doing the whole of it again may work."""


class LockTimeout(TransactionConflict):
    """Another transaction held a lock for longer than is waited for. Asking again at once would only hold another connection as long."""


class StoreLost(Exception):
    """The database does not answer, or went away. Nothing was committed."""


class CommitOutcomeUnknown(Exception):
    """The database went away while it was committing: everything was written, or nothing, and nobody here knows which."""


class StoreDefect(Exception):
    """The database refused what no use case expects it to: a mistake in the program or in the schema, which no caller can handle."""


class UnitOfWorkClosed(Exception):
    """A repository was used after its transaction had ended: a mistake in the program."""


# --- The same as values -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The database cannot be used now; nothing was written, and trying again later is safe."""

    reason: str

    def __str__(self) -> str:
        return f"the database is unavailable: {self.reason}"


@dataclass(frozen=True, slots=True)
class TooMuchContention:
    """Other transactions were in the way at every attempt, or one of them held a lock for too long; nothing was written."""

    attempts: int

    def __str__(self) -> str:
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        return f"tried {times}, and other transactions were in the way; nothing was written"


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The database went away during the commit. Look what is there before trying again."""

    action: str

    def __str__(self) -> str:
        return f"it is not known whether {self.action} was committed: look before you try again"


Failure: TypeAlias = Unavailable | TooMuchContention | OutcomeUnknown
"""What any use case may fail with, whatever it does."""
