"""`LoginAttempts` over PostgreSQL."""

from __future__ import annotations

from shop.application.login_attempts import LoginLimit, TooManyAttempts
from shop.domain.values import EmailAddress
from shop.infrastructure.postgres.queries import Queries
from shop_db import logins

# More than one attempt adds, so that the table holds little more than the logins of one period.
_REMOVED_AT_ONCE = 10


class PostgresLoginAttempts:
    """A row for each login of the table `login_attempts`; the periods are those of the database's clock."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def count(self, email: EmailAddress, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt, and return None if the limit allows it. One that it does not allow is not counted and extends nothing."""
        login = _login(email)
        # Read first: whoever hammers on a blocked login is to write nothing and to wait for no lock.
        seconds = await self._query(logins.get_blocked_login, login=login, attempts=limit.attempts, period=limit.period)
        if seconds is not None:
            return TooManyAttempts(seconds)
        counted = await self._query(logins.count_login_attempt, login=login, period=limit.period)
        # After the count, whose row is locked now: those that another transaction has locked are passed over, so nobody waits in a circle.
        await self._query(logins.remove_old_login_attempts, period=limit.period, at_most=_REMOVED_AT_ONCE)
        return TooManyAttempts(counted.seconds_left) if counted.attempts > limit.attempts else None

    async def forget(self, email: EmailAddress) -> None:
        """Forget the attempts of a login that has succeeded."""
        await self._query(logins.forget_login_attempts, login=_login(email))


def _login(email: EmailAddress) -> str:
    return email.text.lower()
