"""`LoginAttempts` over PostgreSQL."""

from __future__ import annotations

from shop.application.commands.login_attempts import Login, LoginLimit, TooManyAttempts
from shop.domain.values import EmailAddress
from shop.infrastructure.postgres.queries import Queries
from shop_db import logins

# More than one attempt adds, so the table holds little more than the logins of one period.
_REMOVED_AT_ONCE = 10


class PostgresLoginAttempts:
    """One row for each login in the table `login_attempts`; periods are measured by the database's clock."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def count(self, login: Login, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt and return None if the limit allows it. A refused attempt is not counted and does not extend the period."""
        name = _name(login)
        # Read first: attempts on a blocked login must not write or wait for a lock.
        seconds = await self._query(logins.get_blocked_login, login=name, attempts=limit.attempts, period=limit.period)
        if seconds is not None:
            return TooManyAttempts(seconds)
        counted = await self._query(logins.count_login_attempt, login=name, period=limit.period)
        # After the count, whose row is locked now: rows locked by other transactions are skipped, so there is no deadlock.
        await self._query(logins.remove_old_login_attempts, period=limit.period, at_most=_REMOVED_AT_ONCE)
        return TooManyAttempts(counted.seconds_left) if counted.attempts > limit.attempts else None

    async def forget(self, login: Login) -> None:
        """Reset the count of a login after a success."""
        await self._query(logins.forget_login_attempts, login=_name(login))


def _name(login: Login) -> str:
    # No address is of the first form.
    return login.text.lower() if isinstance(login, EmailAddress) else f"user:{login}"
