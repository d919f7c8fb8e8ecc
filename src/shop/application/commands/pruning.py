"""The use case that removes old messages from the outbox and the inbox, old answers, and what erased users left since."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from shop.application.context import Context
from shop.application.transactions.failures import Failure, StoreDefect
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

T = TypeVar("T")

_log = logging.getLogger("shop.pruning")


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


class Erasures(Protocol):
    """Users who were erased or deleted while requests may have been in flight, in its caller's transaction."""

    async def due(self) -> Sequence[UserId]:
        """Return those who were erased so long ago that no request of before is in flight, oldest first, unless they are finished."""
        ...

    async def finish(self, user_id: UserId) -> bool:
        """Erase the traces of one of them once more, which is the end of it, and return whether it was due."""
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
    """The number of rows removed from each table, and of users whose erasure is finished."""

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

    Dead letters are kept for inspection. Requests that were in flight when their user was erased may have written traces of the user since,
    so traces are erased a second time when they have ended.

    Each batch is a transaction, and so is each erasure: where one fails, the other tables are pruned and the other users erased all the
    same.
    """

    def __init__(
        self, transactions: Transactions[PruningStores], keep: timedelta, keep_answers: timedelta, batch_size: int = 10_000
    ) -> None:
        self._transactions = transactions
        self._keep = keep
        self._keep_answers = keep_answers
        self._batch_size = batch_size

    async def prune(self, context: Context, progress: Callable[[int], None] = lambda _: None) -> Pruning:
        """Remove all that is old, in batches, oldest first, and report the number of rows of each batch."""
        run = _Run(self._transactions, context, progress)
        # The outbox first: rows of the inbox stay as long as their outbox rows do.
        for name, step in {"outbox": self._outbox, "inbox": self._inbox, "answers": self._answers}.items():
            while await run.remove(name, step):
                pass
        for user_id in await run.attempt("erasures", _due) or ():
            await run.remove("erasures", partial(_finish, user_id))
        return Pruning(replace(Pruned(), **run.counts), run.failures)

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
        """Run a step, and return how many rows it has removed: none if it failed."""
        count = await self.attempt(name, step) or 0
        self.counts[name] = self.counts.get(name, 0) + count
        self.progress(count)
        return count

    async def attempt(self, name: str, step: Callable[[PruningStores], Awaitable[T]]) -> T | None:
        """Run a step in a transaction, with an audit entry if it removes rows. Returns None if it failed, which is kept and logged."""

        async def work(operation: Operation[PruningStores]) -> Result[T, Failure]:
            result = await step(operation.repositories)
            if isinstance(result, int) and result:
                await operation.done("messages", **{name: str(result)})
            return Ok(result)

        try:
            match await self.transactions.run(self.context, "messages.prune", work):
                case Ok(value):
                    return value
                case Err(failed):
                    failure: Failure | StoreDefect = failed
        except StoreDefect as defect:
            failure = defect
        _log.error("pruning of %s failed, and goes on with the rest: %s", name, failure)
        self.failures.append(failure)
        return None


async def _due(stores: PruningStores) -> Sequence[UserId]:
    return await stores.erasures.due()


async def _finish(user_id: UserId, stores: PruningStores) -> int:
    return int(await stores.erasures.finish(user_id))
