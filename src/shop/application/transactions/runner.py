"""Runs use cases in transactions: the only place that begins, retries and ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    wait_random_exponential,
)

from shop.application.cancellation import to_the_end
from shop.application.context import CURRENT_TRACE, Context
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.answers import AlreadyAnswered, KeyInUse
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.failures import (
    CommitOutcomeUnknown,
    Failure,
    LockTimeout,
    OutcomeUnknown,
    StoreLost,
    TooMuchContention,
    TransactionConflict,
    Unavailable,
)
from shop.application.transactions.observing import Observer, unobserved
from shop.application.transactions.operation import KeyTaken, Operation
from shop.application.transactions.trail import AuditTrail
from shop.application.transactions.unit_of_work import BeginUnitOfWork
from shop.domain.events import Event
from shop.domain.result import Err, Ok, Result

R = TypeVar("R")
F = TypeVar("F")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
E = TypeVar("E")
P = TypeVar("P")
V = TypeVar("V")

_log = logging.getLogger("shop.transactions")

Work: TypeAlias = Callable[[Operation[R]], Awaitable[Result[T, E]]]
AfterCommit: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a use case is tried, and the upper bounds in seconds of the first wait and of any wait.

    The bound doubles with each attempt; the wait is random below it, so that competing transactions do not meet again. A use case that has
    not begun to commit `deadline` seconds after its first attempt began is rolled back.
    """

    attempts: int = 5
    first_wait: float = 0.02
    longest_wait: float = 1.0
    deadline: float = 20.0


class _StillInProgress(CommitOutcomeUnknown):
    """The transaction whose connection broke at its commit has not ended yet."""


@dataclass(slots=True)
class _UnknownCommits:
    """The commits of one use case whose outcome is unknown: whether there are any, the deadline for finding out, and their events."""

    are_any: bool = False
    until: float = 0.0
    events: list[Event] = field(default_factory=list[Event])


async def _ignore(events: Sequence[Event]) -> None:
    """Do nothing after a commit."""


class Transactions(Generic[R_co]):
    """Runs use cases that require the repositories `R_co`.

    After a conflict with another transaction the whole use case runs again, so it must have no effects outside its operation. No connection
    is held between two attempts. Failures are returned as an `Err`. Cancellation rolls back a transaction that is not being committed yet;
    a commit that has begun is finished, with everything that follows it. What failed is recorded in the audit log, in a transaction of
    its own, unless the database is lost.
    """

    def __init__(
        self,
        begin: BeginUnitOfWork[R_co],
        *,
        after_commit: AfterCommit = _ignore,
        retries: Retries = Retries(),
        observe: Observer = unobserved,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._begin = begin
        self._after_commit = after_commit
        self._retries = retries
        self._observe = observe
        self._sleep = sleep
        self._trail = AuditTrail(begin)
        self._lost = Outage(_log, "the database is unavailable", "the database is available again", settled=SETTLED)
        self._conflicts = Outage(_log, "transactions conflict, or wait for a lock", "transactions are committed again", settled=SETTLED)
        self._late = Outage(_log, "use cases take too long", "use cases are done in time again", settled=SETTLED)

    async def run(self, context: Context, action: str, work: Work[R_co, T, E]) -> Result[T, E | Failure]:
        """Run the work in a transaction, with retries. `action` is its name in the audit log, as in `order.pay`."""
        return await self._use_case(context, action, lambda: self._run(context, action, work))

    async def run_prepared(
        self,
        context: Context,
        action: str,
        check: Work[R_co, P, E],
        prepare: Callable[[P], Awaitable[V]],
        work: Callable[[Operation[R_co], V], Awaitable[Result[T, E]]],
    ) -> Result[T, E | Failure]:
        """Run `check` in a transaction, `prepare` in none, and `work` in a second one: what takes long holds no connection.

        It is one use case. It ends with the check if that is refused or fails, and is answered from its key before anything is prepared.
        """

        async def both() -> Result[T, E | Failure]:
            checked = await self._run(context, action, check)
            if isinstance(checked, Err):
                return checked
            prepared = await prepare(checked.value)
            return await self._run(context, action, lambda operation: work(operation, prepared))

        return await self._use_case(context, action, both)

    async def _use_case(
        self, context: Context, action: str, use_case: Callable[[], Awaitable[Result[T, E | Failure]]]
    ) -> Result[T, E | Failure]:
        token = CURRENT_TRACE.set(context.trace_id)
        try:
            result = await self._observe(action, use_case)
            match result:
                case Ok():
                    _log.info("%s: done", action)
                case Err(Unavailable() | TooMuchContention() | OutcomeUnknown()):
                    # The outage, the conflict or the connection has been logged.
                    pass
                case Err(reason):
                    _log.info("%s: refused: %s", action, type(reason).__name__)
            return result
        finally:
            CURRENT_TRACE.reset(token)

    async def _run(self, context: Context, action: str, work: Work[R_co, T, E]) -> Result[T, E | Failure]:
        # A request with a key finds out by itself whether it was committed: the key is locked until then, and the answer is stored with it.
        cured = (TransactionConflict,) if context.once is None else (TransactionConflict, CommitOutcomeUnknown)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(cured) & retry_if_not_exception_type(LockTimeout),
            stop=self._gives_up,
            wait=wait_random_exponential(multiplier=self._retries.first_wait, max=self._retries.longest_wait),
            before_sleep=partial(_log_conflict, action),
            sleep=self._sleep,
            reraise=True,
        )
        deadline = asyncio.timeout(self._retries.deadline)
        unknown = _UnknownCommits()
        begun: list[Operation[R_co]] = []

        async def attempt() -> Result[T, E | Failure]:
            result = await self._attempt(context, action, work, deadline, begun, unknown)
            await self._find_out(action, unknown, result)
            return result

        try:
            async with deadline:
                result: Result[T, E | Failure] = await retrying(attempt)
        except CommitOutcomeUnknown:
            return await self._failed(context, action, begun, OutcomeUnknown(action))
        except (TransactionConflict, StoreLost) as error:
            # Nothing was written by this attempt; an earlier one may have been committed.
            given_up = self._given_up(action, error, retrying)
            failure = OutcomeUnknown(action) if _is_open(unknown, begun) else given_up
            return Err(failure) if isinstance(error, StoreLost) else await self._failed(context, action, begun, failure)
        except TimeoutError:
            if not deadline.expired():
                raise
            late = Unavailable(f"{action} was not done within {self._retries.deadline:g} s")
            self._late.begin(late.reason)
            return await self._failed(context, action, begun, OutcomeUnknown(action) if _is_open(unknown, begun) else late)
        except Exception as defect:
            await self._failed(context, action, begun, defect)
            raise
        self._succeeded(begun[-1])
        return result

    def _succeeded(self, operation: Operation[R_co]) -> None:
        # Only by a commit: a database may answer questions and accept no writes.
        for outage in (self._lost, self._conflicts, self._late) if operation.is_committed else ():
            outage.end()

    async def _failed(self, context: Context, action: str, begun: Sequence[Operation[R_co]], failure: F) -> Err[F]:
        """Record a failure in the audit log, if it can be, and return it."""
        subject = begun[-1].subject if begun else "unknown"
        try:
            # The trail logs that it is lost.
            await self._trail.record(context, action, subject, AuditOutcome.FAILED, reason=type(failure).__name__)
        except Exception:  # noqa: BLE001 the failure itself is what the caller needs to know
            _log.exception("%s: the failure could not be recorded", action)
        return Err(failure)

    async def _attempt(
        self,
        context: Context,
        action: str,
        work: Work[R_co, T, E],
        deadline: asyncio.Timeout,
        begun: list[Operation[R_co]],
        unknown: _UnknownCommits,
    ) -> Result[T, E | Failure]:
        operation: Operation[R_co] | None = None
        try:
            async with self._begin() as uow:
                operation = Operation(uow, context, action, deadline)
                begun.append(operation)
                try:
                    result: Result[T, E | Failure] = await work(operation)
                except KeyTaken as taken:
                    return Err(taken.found)
                await operation.end(result)
                return result
        except CommitOutcomeUnknown as error:
            if not unknown.are_any:
                # The commit itself had no deadline.
                unknown.until = asyncio.get_running_loop().time() + self._retries.deadline
            if not deadline.expired():
                deadline.reschedule(unknown.until)
            unknown.are_any = True
            unknown.events += () if operation is None else operation.committed
            _log.error("%s: the outcome of the commit is unknown: %s", action, error)
            raise
        finally:
            # The connection is back in the pool by now: the listener may be slow.
            if operation is not None and operation.committed:
                await to_the_end(self._notify(action, operation.committed))

    async def _find_out(self, action: str, unknown: _UnknownCommits, result: Result[object, object]) -> None:
        """Judge by the result of this attempt what became of the commits before it. Raises `CommitOutcomeUnknown` if that is still open."""
        match result:
            case Err(KeyInUse()) if unknown.are_any:
                # By the transaction whose connection broke: the server has not ended it yet.
                raise _StillInProgress("the transaction is still in progress")
            case Err(AlreadyAnswered()) if unknown.events:
                # The commit may have been carried out after the listener was called.
                await to_the_end(self._notify(action, unknown.events))
            case _:
                pass

    async def _notify(self, action: str, events: Sequence[Event]) -> None:
        try:
            await self._after_commit(events)
        except Exception:  # noqa: BLE001 the transaction is committed:
            # nothing that fails here may look like a failure of the use case, and the outbox publishes the events anyway.
            _log.exception("%s: the listener failed after the commit", action)

    def _gives_up(self, state: RetryCallState) -> bool:
        # A transaction that is still in progress is waited for until the deadline.
        is_over = state.outcome is None or not isinstance(state.outcome.exception(), _StillInProgress)
        return is_over and state.attempt_number >= self._retries.attempts

    def _given_up(self, action: str, error: TransactionConflict | StoreLost, retrying: AsyncRetrying) -> TooMuchContention | Unavailable:
        if isinstance(error, StoreLost):
            self._lost.begin(error)
            return Unavailable(str(error))
        attempts: int = retrying.statistics["attempt_number"]
        self._conflicts.begin(f"{action} is abandoned after attempt {attempts}: {error}")
        return TooMuchContention(attempts)


def _is_open(unknown: _UnknownCommits, begun: Sequence[Operation[object]]) -> bool:
    """Return whether something may have been committed: by an attempt, or by an earlier request under the key."""
    return unknown.are_any or any(operation.has_found_answer for operation in begun)


def _log_conflict(action: str, state: RetryCallState) -> None:
    conflict = None if state.outcome is None else state.outcome.exception()
    _log.info(
        "%s: conflict in attempt %d, next attempt in %.0f ms: %s", action, state.attempt_number, state.upcoming_sleep * 1000, conflict
    )
