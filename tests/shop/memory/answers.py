"""`Answers` in memory."""

from __future__ import annotations

from datetime import datetime

from shop.application.transactions.answers import StoredAnswer

from .state import MemoryTransaction


class MemoryAnswers:
    """Answers in the state of a transaction. A lock is always free: of two transactions, the later to commit fails with a conflict."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def lock(self, scope: str, key: str) -> bool:  # noqa: ARG002 - there is nothing to lock
        """Lock a key until the end of the transaction, and return whether it was free. Does not wait."""
        return True

    async def get(self, scope: str, key: str) -> StoredAnswer | None:
        """Return the answer that was stored under a key."""
        found = self._transaction.state.answers.get((scope, key))
        return None if found is None else found[1]

    async def await_replication(self) -> None:
        """Return: there is one copy of this store."""

    async def add(self, scope: str, key: str, subject: str, stored: StoredAnswer) -> None:  # noqa: ARG002 - nobody is erased here
        """Store the answer of a request whose key this transaction has locked."""
        self._transaction.state.answers[scope, key] = (self._transaction.tick(), stored)

    async def prune(self, before: datetime, at_most: int) -> int:
        """Remove answers given before this time, oldest first, and return how many."""
        answers = self._transaction.state.answers
        gone = sorted((at, key) for key, (at, _) in answers.items() if at < before)[:at_most]
        for _, key in gone:
            del answers[key]
        return len(gone)
