"""The limit on guessing passwords: so many attempts for a login in a period, then none until the period is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shop.domain.values import EmailAddress


@dataclass(frozen=True, slots=True)
class LoginLimit:
    """How many attempts a login has in a period, which begins with the first of them."""

    attempts: int = 10
    period: timedelta = timedelta(minutes=15)


DEFAULT_LIMIT = LoginLimit()


@dataclass(frozen=True, slots=True)
class TooManyAttempts:
    """The login was tried too often without success; not even the right password opens it for so many seconds."""

    retry_after: float

    def __str__(self) -> str:
        minutes = max(1, math.ceil(self.retry_after / 60))
        return f"too many attempts to log in; try again in {minutes} minute{'s' if minutes > 1 else ''}"


class LoginAttempts(Protocol):
    """Counts the attempts of each login, whether there is such a user or not, in its caller's transaction.

    An attempt is counted and committed before the password is looked at, so that a thousand at once are no way around the limit. The
    database keeps the counts and not the cache: it is what a login needs anyway, so that no login goes uncounted because a second server
    is down or was restarted.
    """

    async def count(self, email: EmailAddress, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt, and return None if the limit allows it. One that it does not allow is not counted and extends nothing."""
        ...

    async def forget(self, email: EmailAddress) -> None:
        """Forget the attempts of a login that has succeeded."""
        ...
