"""The read repository of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.application.reads.models import PublicProfile, UserSummary
from shop.domain.users import Role
from shop.domain.values import UserId


@dataclass(frozen=True, slots=True)
class UserPageKey:
    """The sort key of the last user of a page: registration time and id."""

    created_at: datetime
    id: UserId


@dataclass(frozen=True, slots=True)
class UserPage:
    """Users by registration, oldest first. `following` is the key of the next page, None on the last."""

    users: tuple[UserSummary, ...]
    following: UserPageKey | None


class UserReadRepository(Protocol):
    """Reads users."""

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Mapping[UserId, PublicProfile]:
        """Return the public profiles of these users, in one round trip, without the unknown ids."""
        ...

    async def get(self, user_id: UserId) -> UserSummary | None:
        """Return the data of a user, None for an unknown id."""
        ...

    async def role(self, user_id: UserId) -> Role | None:
        """Return the role of a user, None for an unknown id."""
        ...

    async def page(self, size: int, after: UserPageKey | None = None) -> UserPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1.

        Insertions and deletions between two pages do not shift the second, and a key remains valid when its user is deleted.
        """
        ...

    async def search(self, wanted: str, at_most: int) -> Sequence[UserSummary]:
        """Return the users with this text in "first last address", in any case, by registration."""
        ...

    async def count(self) -> int:
        """Return the number of users."""
        ...
