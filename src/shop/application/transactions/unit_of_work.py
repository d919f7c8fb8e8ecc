"""The unit of work: one transaction, its repositories, and the events of what they saved."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Protocol, TypeAlias, TypeVar

from shop.application.transactions.answers import Answers
from shop.application.transactions.audit import AuditLog
from shop.domain.aggregate import Aggregate
from shop.domain.events import Event

A = TypeVar("A", bound=Aggregate)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class CollectedEvents:
    """The events of a transaction, in the order in which their aggregates were saved."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def add(self, event: Event) -> None:
        """Add an event that no aggregate raised."""
        self._events.append(event)

    def collect(self, aggregate: A) -> A:
        """Add the events of an aggregate that was saved, and return the aggregate without them."""
        self._events += aggregate.events
        return aggregate.without_events()

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Drop the events of the block if it raises."""
        kept = len(self._events)
        try:
            yield
        except BaseException:
            del self._events[kept:]
            raise


class Outbox(Protocol):
    """Stores events to be published, in its caller's transaction: an event is published only if its transaction commits."""

    async def add(self, event: Event, trace_id: str) -> None:
        """Store an event."""
        ...


class UnitOfWork(Protocol[R_co]):
    """One transaction. It is rolled back unless `commit` is called.

    `R_co` are the repositories that its use cases require. They can be used until `commit` or the end of the block, and raise
    `UnitOfWorkClosed` afterwards.
    """

    @property
    def repositories(self) -> R_co:
        """The repositories, which see and write the state of this transaction."""
        ...

    @property
    def events(self) -> CollectedEvents:
        """The events of all aggregates that the repositories saved."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...

    @property
    def outbox(self) -> Outbox:
        """The outbox."""
        ...

    @property
    def answers(self) -> Answers:
        """The answers to requests."""
        ...

    async def commit(self) -> None:
        """Commit the transaction. Raises `TransactionConflict` or `CommitOutcomeUnknown`."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo the writes of the block if it raises, and only those. Can be nested."""
        ...


BeginUnitOfWork: TypeAlias = Callable[[], AbstractAsyncContextManager[UnitOfWork[R]]]
"""Begins a transaction; besides the exceptions of its body, its block may raise `TransactionConflict`, `StoreLost` or `StoreDefect`."""
