"""The use case that removes old messages from the outbox and the inbox, old answers, and what erased users left since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from shop.application.context import Context
from shop.application.transactions.failures import Failure
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Ok, Result

# A request ends within an hour, whatever the settings, and a use case within another.
_LONGEST_REQUEST: Final = timedelta(hours=2)
# Each searches several tables.
_ERASURES_AT_ONCE: Final = 10


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

    async def finish(self, before: datetime, at_most: int) -> int:
        """Erase once more the traces of those who were erased before this time, which is the end of it, and return how many."""
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

    outbox: int
    inbox: int
    answers: int
    erasures: int

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(self.outbox + other.outbox, self.inbox + other.inbox, self.answers + other.answers, self.erasures + other.erasures)

    @property
    def total(self) -> int:
        """The sum of them."""
        return self.outbox + self.inbox + self.answers + self.erasures


class MessagePruning:
    """Removes messages older than the broker's retention, so the inbox forgets nothing that can still be delivered, and old answers.

    Dead letters are kept for inspection. Requests that were in flight when their user was erased may have written traces of the user since,
    so traces are erased a second time when they have ended.
    """

    def __init__(
        self, transactions: Transactions[PruningStores], keep: timedelta, keep_answers: timedelta, batch_size: int = 10_000
    ) -> None:
        self._transactions = transactions
        self._keep = keep
        self._keep_answers = keep_answers
        self._batch_size = batch_size

    async def prune_batch(self, context: Context) -> Result[Pruned, Failure]:
        """Remove at most one batch from each table, oldest first, in one short transaction. A total of 0 means that nothing is left."""

        async def work(operation: Operation[PruningStores]) -> Result[Pruned, Failure]:
            messages = operation.repositories.messages
            now = await messages.now()
            before = now - self._keep
            # The outbox first: rows of the inbox stay as long as their outbox rows do.
            outbox = await messages.prune_outbox(before, self._batch_size)
            inbox = await messages.prune_inbox(before, self._batch_size)
            answers = await operation.repositories.old_answers.prune(now - self._keep_answers, self._batch_size)
            erasures = await operation.repositories.erasures.finish(now - _LONGEST_REQUEST, _ERASURES_AT_ONCE)
            pruned = Pruned(outbox, inbox, answers, erasures)
            if pruned.total:
                counts = {"outbox": outbox, "inbox": inbox, "answers": answers, "erasures": erasures}
                await operation.done("messages", **{name: str(count) for name, count in counts.items()})
            return Ok(pruned)

        return await self._transactions.run(context, "messages.prune", work)
