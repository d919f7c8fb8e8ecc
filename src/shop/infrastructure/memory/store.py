"""What the in-memory adapters keep, and the unit of work on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shop.application.unit_of_work import TransactionConflict, UnitOfWork
from shop.infrastructure.memory.repositories import MemoryAuditLog, MemoryOrderRepository, MemoryOutbox, MemoryUserRepository
from shop.infrastructure.memory.state import MemoryState, MemoryTransaction


class MemoryStore:
    """The committed state. Its transactions are serializable: of two at once, the later one to commit meets a conflict."""

    def __init__(self) -> None:
        self.state = MemoryState()

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
