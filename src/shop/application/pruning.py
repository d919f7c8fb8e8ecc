"""Removing messages that are done with: from the outbox what was published long ago, from the inbox what was handled long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shop.application.context import Context
from shop.application.transactions import Operation, Transactions
from shop.application.unit_of_work import Failure
from shop.domain.result import Ok, Result


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many messages were removed from each side."""

    outbox: int
    inbox: int

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(self.outbox + other.outbox, self.inbox + other.inbox)

    @property
    def total(self) -> int:
        """From both together."""
        return self.outbox + self.inbox


class MessagePruning:
    """Removes what is older than the broker keeps messages: nothing can be delivered then that the inbox has forgotten.

    Dead letters stay, for whoever looks into them.
    """

    def __init__(self, transactions: Transactions, keep: timedelta, batch_size: int = 10_000) -> None:
        self._transactions = transactions
        self._keep = keep
        self._batch_size = batch_size

    async def prune_batch(self, context: Context) -> Result[Pruned, Failure]:
        """Remove at most a batch from each side, oldest first, in one short transaction; nothing is left when none was removed."""

        async def work(operation: Operation) -> Result[Pruned, Failure]:
            before = await operation.messages.now() - self._keep
            # The outbox first: its rows hold those of the inbox back.
            outbox = await operation.messages.prune_outbox(before, self._batch_size)
            pruned = Pruned(outbox, await operation.messages.prune_inbox(before, self._batch_size))
            if pruned.total:
                await operation.done("messages", outbox=str(pruned.outbox), inbox=str(pruned.inbox))
            return Ok(pruned)

        return await self._transactions.run(context, "messages.prune", work)
