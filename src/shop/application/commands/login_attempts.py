"""The limit on login attempts, and the port that counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class LoginLimit:
    """The number of attempts in a period, which begins with the first of them."""

    attempts: int = 10
    period: timedelta = timedelta(minutes=15)


DEFAULT_LIMIT = LoginLimit()


@dataclass(frozen=True, slots=True)
class TooManyAttempts:
    """The login, or the address of the client, is blocked for `retry_after` seconds, even for the right password."""

    retry_after: float

    def __str__(self) -> str:
        minutes = max(1, math.ceil(self.retry_after / 60))
        return f"too many attempts; try again in {minutes} minute{'s' if minutes > 1 else ''}"


Login: TypeAlias = UserId | EmailAddress
"""Whose password is guessed: a user, whatever the address is by then, or an address that no user has."""


class LoginAttempts(Protocol):
    """Counts the attempts of each login, whether such a user exists or not, in its caller's transaction.

    An attempt is counted and committed before the password is verified, so concurrent attempts cannot exceed the limit. The counts are in
    the database and not in the cache: a login needs the database anyway, and no attempt goes uncounted because a cache is down.
    """

    async def count(self, login: Login, limit: LoginLimit) -> TooManyAttempts | None:
        """Count an attempt and return None if the limit allows it. A refused attempt is not counted and does not extend the period."""
        ...

    async def forget(self, login: Login) -> None:
        """Reset the count of a login after a success."""
        ...
