"""The use cases that repair data loss downstream of the outbox: lost messages of the stream, and projections built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shop.application.context import Context
from shop.application.transactions.failures import Failure
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Ok, Result


class RepublishableMessages(Protocol):
    """Returns messages to the pending state, in its caller's transaction."""

    async def republish(self, first: int, last: int, at_most: int) -> Sequence[int]:
        """Make the first published messages and dead letters in this range of positions pending again, and return their positions."""
        ...


class Projections(Protocol):
    """Rebuilds the projections of consumers, in its caller's transaction."""

    async def rebuild_sales(self) -> int:
        """Rebuild the daily sales from the audit log, and return the number of rows.

        Every counted event is marked as handled by the consumer `sales`, so that a later delivery does not count it again.
        """
        ...


class RecoveryStores(Protocol):
    """The repositories that these use cases require."""

    @property
    def messages(self) -> RepublishableMessages:
        """The messages."""
        ...

    @property
    def projections(self) -> Projections:
        """The projections."""
        ...


class Recovery:
    """Republishes events and rebuilds projections. Both can be repeated: nothing is counted twice."""

    def __init__(self, transactions: Transactions[RecoveryStores], batch_size: int = 1_000) -> None:
        self._transactions = transactions
        self._batch_size = batch_size

    async def republish_batch(self, context: Context, first: int, last: int) -> Result[Sequence[int], Failure]:
        """Make one batch of events in this range of positions pending again and return their positions; none at the end of the range.

        Pending events are left alone. Events that the stream still holds arrive twice, and consumers recognise them by id.
        """

        async def work(operation: Operation[RecoveryStores]) -> Result[Sequence[int], Failure]:
            positions = sorted(await operation.repositories.messages.republish(first, last, self._batch_size))
            if positions:
                await operation.done("messages", first=str(positions[0]), last=str(positions[-1]), messages=str(len(positions)))
            else:
                # An earlier attempt may have done it all, with an outcome that its caller does not know.
                await operation.confirm()
            return Ok(positions)

        return await self._transactions.run(context, "messages.republish", work)

    async def rebuild_sales(self, context: Context) -> Result[int, Failure]:
        """Rebuild the daily sales from the audit log, and return the number of rows."""

        async def work(operation: Operation[RecoveryStores]) -> Result[int, Failure]:
            operation.lift_deadline()
            rows = await operation.repositories.projections.rebuild_sales()
            await operation.done("projections:sales", rows=str(rows))
            return Ok(rows)

        return await self._transactions.run(context, "projections.rebuild", work)
