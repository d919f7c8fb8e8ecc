"""One attempt at a use case: what its work can read, write and record before it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.cancellation import to_the_end
from shop.application.context import Context, Once
from shop.application.transactions.answers import AlreadyAnswered, KeyInUse, KeyReused, StoredAnswer
from shop.application.transactions.audit import AuditEntry, AuditOutcome
from shop.application.transactions.failures import CommitOutcomeUnknown, TransactionConflict
from shop.application.transactions.unit_of_work import UnitOfWork
from shop.domain.events import Event
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

R_co = TypeVar("R_co", covariant=True)


class KeyTaken(Exception):
    """The work is not to be done: something was done, or is being done, under the key of the request."""

    def __init__(self, found: AlreadyAnswered | KeyInUse | KeyReused) -> None:
        super().__init__(str(found))
        self.found = found


class Operation(Generic[R_co]):
    """The transaction of one attempt. It is rolled back unless the work calls `done`, `refused` or `commit`, as the last thing it does.

    Work whose request may have a key calls `denied` before it does anything, or `claim_key` if there is no policy for it.

    `subject` is what the work was about, as far as it has said so; `is_committed` is whether the commit was acknowledged, and
    `has_found_answer` whether the request was carried out before.
    """

    def __init__(self, uow: UnitOfWork[R_co], context: Context, action: str, deadline: asyncio.Timeout) -> None:
        self._uow = uow
        self._context = context
        self._action = action
        self._deadline = deadline
        self._is_to_commit = False
        self._is_done = False
        self._committed: Sequence[Event] = ()
        self._has_asked = context.once is None
        self.subject = "unknown"
        self.is_committed = False
        self.has_found_answer = False

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

    def withhold_origin(self) -> None:
        """Record what follows without the origin, which is personal data of the user who has just been erased."""
        self._context = replace(self._context, origin="erased")

    async def denied(self, subject: str, owner: UserId | None) -> Err[NotAllowed] | None:
        """Return None if the actor may do this to what `owner` owns; otherwise record the refusal, and return it.

        Raises `KeyTaken` if the actor may, and the work is not to be done. A stored answer is for those who may do what it answers.
        """
        self.subject = subject
        reason = refusal(self._context.actor, Action(self._action), owner)
        if reason is None:
            await self.claim_key()
            return None
        await self.refused(subject, reason)
        return Err(reason)

    async def done(self, subject: str, *events: Event, **metadata: str) -> None:
        """Record in the audit log that the action was done, to be committed when the work returns, with events that no aggregate raised."""
        assert self._has_asked, f"{self._action} may have been done under the key: call `denied` or `claim_key` first"  # noqa: S101 a defect in the work
        self._add(events)
        await self._record(subject, AuditOutcome.DONE, metadata)
        self._is_done = True

    async def refused(self, subject: str, error: object, *events: Event, **metadata: str) -> None:
        """Record in the audit log that the action was refused with `error`, to be committed. No repository may have written."""
        self._add(events)
        await self._record(subject, AuditOutcome.REFUSED, {"reason": type(error).__name__, **metadata})

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            self._uow.events.add(event)

    def commit(self) -> None:
        """Have the transaction committed without an audit entry: the action is neither done nor refused yet."""
        self._is_to_commit = True

    async def confirm(self) -> None:
        """Commit although nothing was written, so that what earlier transactions committed is known to be on the standbys."""
        await self._uow.answers.await_replication()
        self.commit()

    async def claim_key(self) -> None:
        """Lock the key of the request, if it has one. Raises `KeyTaken` unless nothing was done under it.

        May commit, so nothing may be written before.
        """
        once = self._context.once
        if once is None:
            return
        self._has_asked = True
        if not await self._uow.answers.lock(self._scope, once.key):
            raise KeyTaken(KeyInUse(once.key))
        stored = await self._uow.answers.get(self._scope, once.key)
        if stored is None:
            return
        if stored.fingerprint != once.fingerprint:
            raise KeyTaken(KeyReused(once.key))
        self.has_found_answer = True
        # What can be read may not be replicated: the primary may have restarted since, or the wait of that commit may have been ended.
        await self._uow.answers.await_replication()
        await self._commit(())
        raise KeyTaken(AlreadyAnswered(stored.answer))

    async def end(self, result: Result[object, object]) -> None:
        """Write the collected events to the outbox, and the answer of a request with a key; then commit, if the work called for it."""
        if not self._is_to_commit:
            return
        await self._answer(self._context.once, result)
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

    async def _answer(self, once: Once | None, result: Result[object, object]) -> None:
        # A refused request has done nothing, and is judged again.
        if once is not None and self._is_done and isinstance(result, Ok):
            await self._uow.answers.add(self._scope, once.key, self.subject, StoredAnswer(once.fingerprint, once.answer(result.value)))

    @property
    def _scope(self) -> str:
        return self._context.actor.text

    async def _record(self, subject: str, outcome: AuditOutcome, metadata: dict[str, str]) -> None:
        self.subject = subject
        await self._uow.audit.append(AuditEntry(self._context, self._action, subject, outcome, metadata))
        self._is_to_commit = True

    async def _commit(self, events: Sequence[Event]) -> None:
        try:
            await self._uow.commit()
        except CommitOutcomeUnknown:
            self._committed = events
            raise
        self._committed, self.is_committed = events, True
