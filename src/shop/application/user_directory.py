"""The read side's port for users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.application.read_models import PublicProfile, UserSummary
from shop.domain.values import UserId


@dataclass(frozen=True, slots=True)
class UserPageKey:
    """The place in the listing behind which a page starts: the registration time and id of the last user before it."""

    created_at: datetime
    id: UserId


@dataclass(frozen=True, slots=True)
class UserPage:
    """Users of a listing by registration, oldest first. `following` is the key of the page behind this one, None on the last."""

    users: tuple[UserSummary, ...]
    following: UserPageKey | None


class UserDirectory(Protocol):
    """Answers questions about users."""

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Mapping[UserId, PublicProfile]:
        """Get the public profiles of these users, in one round trip; an id that no user has is missing in the answer."""
        ...

    async def page(self, size: int, after: UserPageKey | None = None) -> UserPage:
        """Get the first page, or the one behind `after`. Raises ValueError for a size below 1.

        Users who come or go between two pages do not shift the second, and a key stays good when its user is deleted.
        """
        ...

    async def count(self) -> int:
        """Count all users."""
        ...
