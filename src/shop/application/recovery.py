"""Making good what was lost behind the outbox: messages of the stream, and what consumers built from them."""

from __future__ import annotations

from collections.abc import Sequence

from shop.application.context import Context
from shop.application.transactions import Operation, Transactions
from shop.application.unit_of_work import Failure
from shop.domain.result import Ok, Result


class Recovery:
    """Has events published again, and projections built anew. Both may be repeated: nothing is counted twice."""

    def __init__(self, transactions: Transactions, batch_size: int = 1_000) -> None:
        self._transactions = transactions
        self._batch_size = batch_size

    async def republish_batch(self, context: Context, first: int, last: int) -> Result[Sequence[int], Failure]:
        """Have the relay publish the next batch of a range of positions again, and return their positions, none at the end of the range.

        What waits anyway is left alone. What the stream still holds arrives twice, and consumers know it by its id.
        """

        async def work(operation: Operation) -> Result[Sequence[int], Failure]:
            positions = sorted(await operation.messages.republish(first, last, self._batch_size))
            if positions:
                await operation.done("messages", first=str(positions[0]), last=str(positions[-1]), messages=str(len(positions)))
            return Ok(positions)

        return await self._transactions.run(context, "messages.republish", work)

    async def rebuild_sales(self, context: Context) -> Result[int, Failure]:
        """Sum up the daily sales anew from the audit log, and return how many rows they are."""

        async def work(operation: Operation) -> Result[int, Failure]:
            operation.take_time()
            rows = await operation.projections.rebuild_sales()
            await operation.done("projections:sales", rows=str(rows))
            return Ok(rows)

        return await self._transactions.run(context, "projections.rebuild", work)
