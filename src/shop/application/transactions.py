"""Runs use cases in transactions: the one place that begins, repeats and ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from shop.application.audit import AuditEntry
from shop.application.cancellation import to_the_end
from shop.application.context import CURRENT_TRACE, Context
from shop.application.login_attempts import LoginAttempts
from shop.application.read_models import AuditOutcome
from shop.application.seeding import SeedRepository
from shop.application.unit_of_work import (
    BeginUnitOfWork,
    CommitOutcomeUnknown,
    Failure,
    LockTimeout,
    OutcomeUnknown,
    Projections,
    SettledMessages,
    StoreLost,
    TooMuchContention,
    TransactionConflict,
    Unavailable,
    UnitOfWork,
)
from shop.domain.events import Event
from shop.domain.orders import OrderRepository
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserRepository

T = TypeVar("T")
E = TypeVar("E")

_log = logging.getLogger("shop.transactions")


class Operation:
    """One attempt at a use case: the repositories, and the ways to end it. What is neither `done` nor `refused` is rolled back."""

    def __init__(self, uow: UnitOfWork, context: Context, action: str, deadline: asyncio.Timeout) -> None:
        self._uow = uow
        self._context = context
        self._action = action
        self._deadline = deadline
        self._events: tuple[Event, ...] = ()

    @property
    def users(self) -> UserRepository:
        """The users as this transaction sees them."""
        return self._uow.users

    @property
    def orders(self) -> OrderRepository:
        """The orders as this transaction sees them."""
        return self._uow.orders

    @property
    def seeds(self) -> SeedRepository:
        """What writes seeds."""
        return self._uow.seeds

    @property
    def logins(self) -> LoginAttempts:
        """How often logins were tried."""
        return self._uow.logins

    @property
    def messages(self) -> SettledMessages:
        """The messages that are done with."""
        return self._uow.messages

    @property
    def projections(self) -> Projections:
        """What consumers have built."""
        return self._uow.projections

    @property
    def committed(self) -> Sequence[Event]:
        """The events that were committed, or that may have been, where the outcome of the commit is unknown."""
        return self._events

    async def done(self, subject: str, *events: Event, **metadata: str) -> None:
        """Audit that it was done to `subject`, tell the events, and commit."""
        await self._uow.audit.append(AuditEntry(self._context, self._action, subject, AuditOutcome.DONE, metadata))
        await self._end(events)

    def take_time(self) -> None:
        """Lift the deadline: this is work that may take as long as it needs."""
        self._deadline.reschedule(None)

    async def noted(self) -> None:
        """Commit what the audit log has no entry for: it was neither done nor refused yet."""
        await self._end(())

    async def refused(self, subject: str, error: object, *events: Event, **metadata: str) -> None:
        """Audit that it was refused because of `error`, tell the events, and commit. Nothing else may have been written."""
        await self._uow.audit.append(
            AuditEntry(self._context, self._action, subject, AuditOutcome.REFUSED, {"reason": type(error).__name__, **metadata})
        )
        await self._end(events)

    async def _end(self, events: tuple[Event, ...]) -> None:
        for event in events:
            await self._uow.outbox.add(event, self._context.trace_id)
        # From here on nothing is cut off: who committed in time did so, and what follows a commit must know of it.
        ends = self._deadline.when()
        self._deadline.reschedule(None)
        try:
            await to_the_end(self._commit(events))
        except TransactionConflict:
            self._deadline.reschedule(ends)
            raise

    async def _commit(self, events: tuple[Event, ...]) -> None:
        try:
            await self._uow.commit()
        except CommitOutcomeUnknown:
            self._events = events
            raise
        self._events = events


Work: TypeAlias = Callable[[Operation], Awaitable[Result[T, E]]]
AfterCommit: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a use case is tried, and how many seconds the first wait and any wait takes at most.

    They double, and chance takes anything off each, so that rivals do not meet again. A use case that has not begun to commit at its
    deadline, so many seconds after its first attempt began, is rolled back.
    """

    attempts: int = 5
    first_wait: float = 0.02
    longest_wait: float = 1.0
    deadline: float = 20.0


async def _tell_nobody(events: Sequence[Event]) -> None:
    """Do nothing after a commit."""


class Transactions:
    """Runs the work of use cases.

    A conflict with another transaction is answered by doing the whole work again: it must have no effect outside of its operation. No
    connection is held between two attempts. What is still wrong then is an `Err` like every other. Cancellation is none: it rolls back
    what is not being committed yet, and what is, it lets finish, with all that follows a commit.
    """

    def __init__(
        self,
        begin: BeginUnitOfWork,
        *,
        after_commit: AfterCommit = _tell_nobody,
        retries: Retries = Retries(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._begin = begin
        self._after_commit = after_commit
        self._retries = retries
        self._sleep = sleep

    async def run(self, context: Context, action: str, work: Work[T, E]) -> Result[T, E | Failure]:
        """Do the work in a transaction, again where another one was in the way. `action` names it in the audit log: `order.pay`."""
        token = CURRENT_TRACE.set(context.trace_id)
        try:
            return await self._run(context, action, work)
        finally:
            CURRENT_TRACE.reset(token)

    async def _run(self, context: Context, action: str, work: Work[T, E]) -> Result[T, E | Failure]:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransactionConflict) & retry_if_not_exception_type(LockTimeout),
            stop=stop_after_attempt(self._retries.attempts),
            wait=wait_random_exponential(multiplier=self._retries.first_wait, max=self._retries.longest_wait),
            before_sleep=partial(_log_conflict, action),
            sleep=self._sleep,
            reraise=True,
        )
        deadline = asyncio.timeout(self._retries.deadline)
        try:
            async with deadline:
                result: Result[T, E] = await retrying(self._attempt, context, action, work, deadline)
        except TransactionConflict as conflict:
            attempts: int = retrying.statistics["attempt_number"]
            _log.warning("%s: given up after attempt %d: %s", action, attempts, conflict)
            return Err(TooMuchContention(attempts))
        except TimeoutError:
            if not deadline.expired():
                raise
            _log.warning("%s: not done within %g s", action, self._retries.deadline)
            return Err(Unavailable(f"{action} was not done within {self._retries.deadline:g} s"))
        except StoreLost as lost:
            _log.warning("%s: the database is unavailable: %s", action, lost)
            return Err(Unavailable(str(lost)))
        except CommitOutcomeUnknown as unknown:
            _log.error("%s: the outcome of the commit is unknown: %s", action, unknown)
            return Err(OutcomeUnknown(action))
        match result:
            case Ok():
                _log.info("%s: done", action)
            case Err(error):
                _log.info("%s: refused: %s", action, type(error).__name__)
        return result

    async def _attempt(self, context: Context, action: str, work: Work[T, E], deadline: asyncio.Timeout) -> Result[T, E]:
        operation: Operation | None = None
        try:
            async with self._begin() as uow:
                operation = Operation(uow, context, action, deadline)
                return await work(operation)
        finally:
            # The connection was given back by now: the listener may be slow.
            if operation is not None and operation.committed:
                await to_the_end(self._tell(action, operation.committed))

    async def _tell(self, action: str, events: Sequence[Event]) -> None:
        try:
            await self._after_commit(events)
        except Exception:  # noqa: BLE001 whatever it is:
            # it is committed, and the outbox tells it again. Nothing that fails here may look like a failure of the use case.
            _log.exception("%s: telling of it after the commit failed", action)


def _log_conflict(action: str, state: RetryCallState) -> None:
    conflict = None if state.outcome is None else state.outcome.exception()
    _log.info("%s: attempt %d met a conflict, again in %.0f ms: %s", action, state.attempt_number, state.upcoming_sleep * 1000, conflict)
