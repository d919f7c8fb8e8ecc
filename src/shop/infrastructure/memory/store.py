"""What the in-memory adapters keep, and the unit of work on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from shop.application.unit_of_work import TransactionConflict, UnitOfWork
from shop.infrastructure.memory.login_attempts import MemoryLoginAttempts
from shop.infrastructure.memory.outbox import MemoryOutbox, MemoryProjections, MemorySettledMessages
from shop.infrastructure.memory.repositories import MemoryAuditLog, MemoryOrderRepository, MemorySeedRepository, MemoryUserRepository
from shop.infrastructure.memory.state import InboxKey, MemoryState, MemoryTransaction


@dataclass(frozen=True, eq=False)
class MemoryClaim:
    """What one relay pass holds, until this time of the monotonic clock."""

    until: float


class MemoryStore:
    """The committed state. Its transactions are serializable: of two at once, the later one to commit meets a conflict."""

    def __init__(self) -> None:
        self.state = MemoryState()
        # What transactions hold that write to single rows alone: those of the relay and of the consumers.
        self.claims: dict[int, MemoryClaim] = {}
        self.entered: dict[InboxKey, asyncio.Lock] = {}

    def is_claimed(self, position: int) -> bool:
        """Return whether a relay is publishing the message at this position."""
        claim = self.claims.get(position)
        return claim is not None and claim.until > time.monotonic()

    @contextmanager
    def writing(self) -> Generator[MemoryState]:
        """Write to the state as it is now, and commit at the end of the block, which must not wait for anything."""
        state = self.state.copy()
        yield state
        state.commits += 1
        self.state = state

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork]:
        """Begin a transaction on a snapshot."""
        uow = MemoryUnitOfWork(self)
        try:
            yield uow
        finally:
            uow.leave()


class MemoryUnitOfWork:
    """`UnitOfWork` on a snapshot of the store. Made by `MemoryStore.begin` alone."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._transaction = MemoryTransaction(store.state.copy())
        self.users = MemoryUserRepository(self._transaction)
        self.orders = MemoryOrderRepository(self._transaction)
        self.audit = MemoryAuditLog(self._transaction)
        self.outbox = MemoryOutbox(self._transaction)
        self.seeds = MemorySeedRepository(self._transaction)
        self.logins = MemoryLoginAttempts(self._transaction)
        self.messages = MemorySettledMessages(self._transaction)
        self.projections = MemoryProjections(self._transaction)

    async def commit(self) -> None:
        """Make everything permanent. Raises `TransactionConflict` where another transaction has committed since this one began."""
        state = self._transaction.end()
        if state.commits != self._store.state.commits:
            raise TransactionConflict("another transaction has committed")
        state.commits += 1
        self._store.state = state

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what the block wrote, and that alone, if it raises. May be nested."""
        snapshot = self._transaction.state.copy()
        try:
            yield
        except BaseException:
            self._transaction.restore(snapshot)
            raise

    def leave(self) -> None:
        """Roll back whatever was not committed."""
        if not self._transaction.is_over:
            self._transaction.end()
