"""The committed state, and the unit of work on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from shop.application.transactions.failures import TransactionConflict
from shop.application.transactions.unit_of_work import CollectedEvents, UnitOfWork

from .answers import MemoryAnswers
from .erasures import MemoryErasures
from .ledger import MemoryTransactionLedger
from .login_attempts import MemoryLoginAttempts
from .outbox import MemoryDeadLetters, MemoryOutbox, MemoryProjections, MemorySettledMessages
from .repositories import MemoryAuditLog, MemoryOrderRepository, MemorySeedRepository, MemoryUserRepository
from .state import InboxKey, MemoryState, MemoryTransaction


@dataclass(frozen=True, eq=False)
class MemoryClaim:
    """The claim of one relay pass, until a time of the monotonic clock."""

    until: float


class MemoryStore:
    """The committed state. Transactions are serializable: of two concurrent ones, the later to commit fails with a conflict."""

    def __init__(self) -> None:
        self.state = MemoryState()
        # Locks of single rows, by the relay and by the consumers.
        self.claims: dict[int, MemoryClaim] = {}
        self.entered: dict[InboxKey, asyncio.Lock] = {}

    def is_claimed(self, position: int) -> bool:
        """Return whether a relay is publishing the message at this position."""
        claim = self.claims.get(position)
        return claim is not None and claim.until > time.monotonic()

    @contextmanager
    def writing(self) -> Generator[MemoryState]:
        """Write to the current state, and commit at the end of the block, which must not await anything."""
        state = self.state.copy()
        yield state
        state.commits += 1
        self.state = state

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork[MemoryRepositories]]:
        """Begin a transaction on a snapshot."""
        uow = MemoryUnitOfWork(self)
        try:
            yield uow
        finally:
            uow.leave()


class MemoryRepositories:
    """The repositories in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction, events: CollectedEvents) -> None:
        self.users = MemoryUserRepository(transaction, events)
        self.orders = MemoryOrderRepository(transaction, events)
        self.logins = MemoryLoginAttempts(transaction)
        self.seeds = MemorySeedRepository(transaction)
        self.messages = MemorySettledMessages(transaction)
        self.old_answers = MemoryAnswers(transaction)
        self.erasures = MemoryErasures()
        self.dead_letters = MemoryDeadLetters(transaction)
        self.sales = MemoryTransactionLedger(transaction)
        self.projections = MemoryProjections(transaction)


class MemoryUnitOfWork:
    """`UnitOfWork` on a snapshot of the store. Created by `MemoryStore.begin`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._transaction = MemoryTransaction(store.state.copy())
        self.events = CollectedEvents()
        self.repositories = MemoryRepositories(self._transaction, self.events)
        self.audit = MemoryAuditLog(self._transaction)
        self.outbox = MemoryOutbox(self._transaction)
        self.answers = MemoryAnswers(self._transaction)

    async def commit(self) -> None:
        """Commit. Raises `TransactionConflict` if another transaction has committed since this one began."""
        state = self._transaction.end()
        if state.commits != self._store.state.commits:
            raise TransactionConflict("another transaction has committed")
        state.commits += 1
        self._store.state = state

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo the writes of the block if it raises, and only those. Can be nested."""
        snapshot = self._transaction.state.copy()
        try:
            with self.events.savepoint():
                yield
        except BaseException:
            self._transaction.restore(snapshot)
            raise

    def leave(self) -> None:
        """Roll back unless it was committed."""
        if not self._transaction.has_ended:
            self._transaction.end()
