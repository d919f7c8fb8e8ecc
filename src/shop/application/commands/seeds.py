"""The use case that writes seed data."""

from __future__ import annotations

from typing import Protocol

from shop.application.commands.seed_data import SeedBatch
from shop.application.context import Context
from shop.application.transactions.failures import Failure
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Ok, Result


class SeedRepository(Protocol):
    """Writes seed data in bulk, in its caller's transaction. No events are raised."""

    async def add(self, batch: SeedBatch) -> int:
        """Write a batch and return the number of new users. Users whose id or address exists are left out, with their orders."""
        ...


class SeedStores(Protocol):
    """The repositories that this use case requires."""

    @property
    def seeds(self) -> SeedRepository:
        """The bulk writer of seed data."""
        ...


class SeedCommands:
    """Writes seed data, bypassing the other use cases: one audit entry for each batch, and no events."""

    def __init__(self, transactions: Transactions[SeedStores]) -> None:
        self._transactions = transactions

    async def write(self, context: Context, number: int, batch: SeedBatch) -> Result[int, Failure]:
        """Write a batch of the seed `number` and return the number of new users. Existing users stay as they are."""

        async def work(operation: Operation[SeedStores]) -> Result[int, Failure]:
            new = await operation.repositories.seeds.add(batch)
            if new:
                await operation.done(f"seeds:{number}", users=str(new))
            return Ok(new)

        return await self._transactions.run(context, "seeds.write", work)
