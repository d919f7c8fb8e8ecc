"""`LoginAttempts` in memory."""

from __future__ import annotations

from datetime import timedelta

from shop.application.login_attempts import LoginLimit, TooManyAttempts
from shop.domain.values import EmailAddress
from shop.infrastructure.memory.state import MemoryTransaction


class MemoryLoginAttempts:
    """Attempts in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def count(self, email: EmailAddress, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt, and return None if the limit allows it. One that it does not allow is not counted and extends nothing."""
        now = self._transaction.tick()
        attempts, since = self._transaction.state.logins.get(email, (0, now))
        if attempts and since <= now - limit.period:
            attempts, since = 0, now
        if attempts >= limit.attempts:
            return TooManyAttempts((since + limit.period - now) / timedelta(seconds=1))
        self._transaction.state.logins[email] = (attempts + 1, since)
        return None

    async def forget(self, email: EmailAddress) -> None:
        """Forget the attempts of a login that has succeeded."""
        self._transaction.state.logins.pop(email, None)
