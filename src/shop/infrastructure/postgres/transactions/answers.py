"""`Answers` over PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from shop.application.transactions.answers import StoredAnswer
from shop.infrastructure.postgres.queries import Queries
from shop_db import answers


class PostgresAnswers:
    """The table `answers`. A key is locked by an advisory lock, which ends with the transaction and blocks no row."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def lock(self, scope: str, key: str) -> bool:
        """Lock a key until the end of the transaction, and return whether it was free. Does not wait."""
        return await self._query(answers.lock_answer, scope=scope, key=key)

    async def get(self, scope: str, key: str) -> StoredAnswer | None:
        """Return the answer that was stored under a key."""
        row = await self._query(answers.get_answer, scope=scope, key=key)
        return None if row is None else StoredAnswer(row.fingerprint, row.answer)

    async def await_replication(self) -> None:
        """Have the commit of this transaction wait as if it wrote: whatever was committed before is on the standbys then."""
        await self._query(answers.mark_log)

    async def add(self, scope: str, key: str, subject: str, stored: StoredAnswer) -> None:
        """Store the answer of a request whose key this transaction has locked."""
        await self._query(answers.add_answer, scope=scope, key=key, subject=subject, fingerprint=stored.fingerprint, answer=stored.answer)

    async def prune(self, before: datetime, at_most: int) -> int:
        """Remove answers given before this time, oldest first, and return how many."""
        return await self._query(answers.prune_answers, before=before, at_most=at_most)
