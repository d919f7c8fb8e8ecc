"""The use case that removes old messages from the outbox and the inbox, old answers, and what is left of erased users."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Final, Protocol, TypeVar

from shop.application.context import Context
from shop.application.transactions.failures import Failure, StoreDefect
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

T = TypeVar("T")

_log = logging.getLogger("shop.pruning")

# For how long after an erasure a request of before may still write a message.
_IN_FLIGHT: Final = timedelta(hours=2)


class PrunableMessages(Protocol):
    """Removes published and handled messages, in its caller's transaction."""

    async def now(self) -> datetime:
        """Return the time of the store, which stamps messages. The clock of this machine may differ."""
        ...

    async def prune_outbox(self, before: datetime, at_most: int) -> int:
        """Remove messages published before this time, oldest first, and return how many."""
        ...

    async def prune_inbox(self, before: datetime, at_most: int) -> int:
        """Remove messages handled before this time, oldest first, and return how many.

        Messages that are still in the outbox stay: they may be published and delivered again.
        """
        ...


class PrunableAnswers(Protocol):
    """Removes answers to requests, in its caller's transaction."""

    async def prune(self, before: datetime, at_most: int) -> int:
        """Remove answers given before this time, oldest first, and return how many."""
        ...


@dataclass(frozen=True, slots=True)
class DueErasure:
    """A user who was erased or deleted, and of whom traces are to be erased."""

    user_id: UserId
    erased_at: datetime


class Erased(Enum):
    """What was erased of a user: all traces, some of them, or nothing, since the erasure is not due, or going on elsewhere."""

    ALL = auto()
    SOME = auto()
    NOTHING = auto()


class Erasures(Protocol):
    """Users who were erased or deleted, in its caller's transaction.

    An erasure is due as long as traces remain, and once more when requests that were in flight have ended.
    """

    async def due(self, after: DueErasure | None, at_most: int) -> Sequence[DueErasure]:
        """Return the erasures that are due, oldest first, after this one."""
        ...

    async def is_due(self, user_id: UserId) -> bool:
        """Return whether the erasure of a user is due."""
        ...

    async def erase(self, user_id: UserId, at_most: int) -> Erased:
        """Erase the next traces of a user whose erasure is due, of at most this number of traces."""
        ...

    async def forget(self, before: datetime, at_most: int) -> int:
        """Forget the addresses of users who were erased before this time, oldest first, and return of how many.

        Until then a message that names one of them loses its content when it becomes a dead letter.
        """
        ...


class PruningStores(Protocol):
    """The repositories that this use case requires."""

    @property
    def messages(self) -> PrunableMessages:
        """The messages."""
        ...

    @property
    def old_answers(self) -> PrunableAnswers:
        """The answers to requests."""
        ...

    @property
    def erasures(self) -> Erasures:
        """The users who were erased."""
        ...


@dataclass(frozen=True, slots=True)
class Pruned:
    """The number of rows removed from each table, and of users of whom all traces were erased."""

    outbox: int = 0
    inbox: int = 0
    answers: int = 0
    erasures: int = 0


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was pruned, and what failed, which did not stop the rest."""

    pruned: Pruned
    failures: Sequence[Failure | StoreDefect] = ()


class MessagePruning:
    """Removes messages older than the broker's retention, so the inbox forgets nothing that can still be delivered, and old answers.

    Dead letters are kept for inspection. Of users who were erased or deleted it erases what the erasure itself has left, and what requests
    that were in flight have written since.

    Each batch is a transaction: where one fails, the other tables are pruned and the other users erased all the same.
    """

    def __init__(
        self,
        transactions: Transactions[PruningStores],
        keep: timedelta,
        keep_answers: timedelta,
        batch_size: int = 10_000,
        traces: int = 5_000,
    ) -> None:
        self._transactions = transactions
        self._keep = keep
        self._keep_answers = keep_answers
        self._batch_size = batch_size
        self._traces = traces

    async def prune(self, context: Context, progress: Callable[[int], None] = lambda _: None) -> Pruning:
        """Remove all that is old, in batches, oldest first, and report the number of rows of each batch."""
        run = _Run(self._transactions, context, progress)
        # The outbox first: rows of the inbox stay as long as their outbox rows do.
        for name, step in {"outbox": self._outbox, "inbox": self._inbox, "answers": self._answers}.items():
            while await run.remove(name, step):
                pass
        last: DueErasure | None = None
        while due := await run.attempt("erasures", partial(self._due, last)):
            for each in due:
                while await run.erase(each.user_id, self._traces) is Erased.SOME:
                    pass
            last = due[-1]
        while await run.attempt("erasures", self._forget):
            pass
        return Pruning(replace(Pruned(), **run.counts), run.failures)

    async def erase_rest(self, context: Context, user_id: UserId, progress: Callable[[int], None] = lambda _: None) -> bool:
        """Erase what the erasure or deletion of a user has left, and return whether that was all. What fails is left to `prune`."""
        run = _Run(self._transactions, context, progress)
        while (erased := await run.erase(user_id, self._traces)) is Erased.SOME:
            pass
        if erased is not Erased.NOTHING:
            return erased is Erased.ALL
        # Another process may be erasing the same user.
        is_due = await run.attempt("erasures", lambda operation: operation.repositories.erasures.is_due(user_id))
        return is_due is False

    async def _due(self, after: DueErasure | None, operation: Operation[PruningStores]) -> Sequence[DueErasure]:
        return await operation.repositories.erasures.due(after, self._batch_size)

    async def _forget(self, operation: Operation[PruningStores]) -> int:
        stores = operation.repositories
        before = await stores.messages.now() - self._keep - _IN_FLIGHT
        if forgotten := await stores.erasures.forget(before, self._batch_size):
            operation.commit()
        else:
            # It is the last batch, and what others have removed may lack a standby.
            await operation.confirm()
        return forgotten

    async def _outbox(self, stores: PruningStores) -> int:
        return await stores.messages.prune_outbox(await stores.messages.now() - self._keep, self._batch_size)

    async def _inbox(self, stores: PruningStores) -> int:
        return await stores.messages.prune_inbox(await stores.messages.now() - self._keep, self._batch_size)

    async def _answers(self, stores: PruningStores) -> int:
        return await stores.old_answers.prune(await stores.messages.now() - self._keep_answers, self._batch_size)


@dataclass
class _Run:
    """One run over all tables: each step is a transaction, and a failure does not stop the others."""

    transactions: Transactions[PruningStores]
    context: Context
    progress: Callable[[int], None]
    counts: dict[str, int] = field(default_factory=dict[str, int])
    failures: list[Failure | StoreDefect] = field(default_factory=list[Failure | StoreDefect])

    async def remove(self, name: str, step: Callable[[PruningStores], Awaitable[int]]) -> int:
        """Run a step, with an audit entry if it removes rows, and return how many: none if it failed."""

        async def work(operation: Operation[PruningStores]) -> int:
            if removed := await step(operation.repositories):
                await operation.done("messages", **{name: str(removed)})
            return removed

        count = await self.attempt(name, work) or 0
        self._count(name, count, count)
        return count

    async def erase(self, user_id: UserId, at_most: int) -> Erased:
        """Erase the next traces of a user, with an audit entry when these were all. Returns `NOTHING` if it failed."""

        async def work(operation: Operation[PruningStores]) -> Erased:
            erased = await operation.repositories.erasures.erase(user_id, at_most)
            if erased is Erased.ALL:
                await operation.done("messages", erasures="1")
            elif erased is Erased.SOME:
                operation.commit()
            return erased

        erased = await self.attempt("erasures", work) or Erased.NOTHING
        self._count("erasures", int(erased is Erased.ALL), at_most if erased is Erased.SOME else 0)
        return erased

    def _count(self, name: str, done: int, rows: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + done
        self.progress(rows)

    async def attempt(self, name: str, work: Callable[[Operation[PruningStores]], Awaitable[T]]) -> T | None:
        """Run a step in a transaction. Returns None if it failed, which is kept and logged."""

        async def succeed(operation: Operation[PruningStores]) -> Result[T, Failure]:
            return Ok(await work(operation))

        try:
            match await self.transactions.run(self.context, "messages.prune", succeed):
                case Ok(value):
                    return value
                case Err(failed):
                    failure: Failure | StoreDefect = failed
        except StoreDefect as defect:
            failure = defect
        _log.error("pruning of %s failed, and goes on with the rest: %s", name, failure)
        self.failures.append(failure)
        return None
