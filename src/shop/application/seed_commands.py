"""Commands that fill the database with what was invented."""

from __future__ import annotations

from shop.application.context import Context
from shop.application.seeding import SeedBatch
from shop.application.transactions import Operation, Transactions
from shop.application.unit_of_work import Failure
from shop.domain.result import Ok, Result


class SeedCommands:
    """Writes seeds past the other use cases: one audit entry for a batch, and no events."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def write(self, context: Context, number: int, batch: SeedBatch) -> Result[int, Failure]:
        """Write a batch of the seeds of a number, and give how many users were new; those that are there already are left alone."""

        async def work(operation: Operation) -> Result[int, Failure]:
            new = await operation.seeds.add(batch)
            if new:
                await operation.done(f"seeds:{number}", users=str(new))
            return Ok(new)

        return await self._transactions.run(context, "seeds.write", work)
