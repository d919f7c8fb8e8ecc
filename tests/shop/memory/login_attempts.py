"""`LoginAttempts` in memory."""

from __future__ import annotations

from datetime import timedelta

from shop.application.commands.login_attempts import Login, LoginLimit, TooManyAttempts

from .state import MemoryTransaction


class MemoryLoginAttempts:
    """Counts in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def count(self, login: Login, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt and return None if the limit allows it. A refused attempt is not counted and does not extend the period."""
        now = self._transaction.tick()
        attempts, since = self._transaction.state.logins.get(login, (0, now))
        if attempts and since <= now - limit.period:
            attempts, since = 0, now
        if attempts >= limit.attempts:
            return TooManyAttempts((since + limit.period - now) / timedelta(seconds=1))
        self._transaction.state.logins[login] = (attempts + 1, since)
        return None

    async def forget(self, login: Login) -> None:
        """Reset the count of a login after a success."""
        self._transaction.state.logins.pop(login, None)
