"""One attempt at a use case: what its work can read, write and record before it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

from shop.application.cancellation import to_the_end
from shop.application.context import Context
from shop.application.transactions.audit import AuditEntry, AuditOutcome
from shop.application.transactions.failures import CommitOutcomeUnknown, TransactionConflict
from shop.application.transactions.unit_of_work import UnitOfWork
from shop.domain.events import Event

R_co = TypeVar("R_co", covariant=True)


class Operation(Generic[R_co]):
    """The transaction of one attempt. It is rolled back unless `done`, `refused` or `commit` is called, each of which ends it."""

    def __init__(self, uow: UnitOfWork[R_co], context: Context, action: str, deadline: asyncio.Timeout) -> None:
        self._uow = uow
        self._context = context
        self._action = action
        self._deadline = deadline
        self._committed: Sequence[Event] = ()

    @property
    def repositories(self) -> R_co:
        """The repositories of the transaction."""
        return self._uow.repositories

    @property
    def committed(self) -> Sequence[Event]:
        """The events that were committed, or may have been if the outcome of the commit is unknown."""
        return self._committed

    def lift_deadline(self) -> None:
        """Let this attempt take as long as it needs."""
        self._deadline.reschedule(None)

    async def done(self, subject: str, **metadata: str) -> None:
        """Record in the audit log that the action was done, and commit."""
        await self._record(subject, AuditOutcome.DONE, metadata)

    async def refused(self, subject: str, error: object, *events: Event, **metadata: str) -> None:
        """Record in the audit log that the action was refused with `error`, and commit. No repository may have written."""
        for event in events:
            self._uow.events.add(event)
        await self._record(subject, AuditOutcome.REFUSED, {"reason": type(error).__name__, **metadata})

    async def commit(self) -> None:
        """Write the collected events to the outbox and commit, without an audit entry: the action is neither done nor refused yet."""
        events = tuple(self._uow.events)
        for event in events:
            await self._uow.outbox.add(event, self._context.trace_id)
        # From here on the deadline does not apply: the commit began in time, and what follows it must see its outcome.
        ends = self._deadline.when()
        self._deadline.reschedule(None)
        try:
            await to_the_end(self._commit(events))
        except TransactionConflict:
            self._deadline.reschedule(ends)
            raise

    async def _record(self, subject: str, outcome: AuditOutcome, metadata: dict[str, str]) -> None:
        await self._uow.audit.append(AuditEntry(self._context, self._action, subject, outcome, metadata))
        await self.commit()

    async def _commit(self, events: Sequence[Event]) -> None:
        try:
            await self._uow.commit()
        except CommitOutcomeUnknown:
            self._committed = events
            raise
        self._committed = events
