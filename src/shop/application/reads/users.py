"""The read repository of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import PublicProfile, UserSummary
from shop.application.reads.searches import UserFilter, UserSort
from shop.domain.result import Result
from shop.domain.users import Role
from shop.domain.values import UserId


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides about each request of a user: the role, and the generation of the sessions that are open."""

    role: Role
    session_generation: int


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


@dataclass(frozen=True, slots=True)
class FoundUsers:
    """A page of a search. `following` and `preceding` are the cursors of the pages around it, None where there are no more users."""

    users: tuple[UserSummary, ...]
    following: str | None
    preceding: str | None


class UserReadRepository(Protocol):
    """Reads users."""

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Mapping[UserId, PublicProfile]:
        """Return the public profiles of these users, in one round trip, without the unknown ids."""
        ...

    async def get(self, user_id: UserId) -> UserSummary | None:
        """Return the data of a user, None for an unknown id."""
        ...

    async def standing(self, user_id: UserId) -> Standing | None:
        """Return the standing of a user, None for an unknown id."""
        ...

    async def page(self, size: int, after: UserPageKey | None = None) -> UserPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1.

        Insertions and deletions between two pages do not shift the second, and a key remains valid when its user is deleted.
        """
        ...

    async def find(self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None = None) -> Result[FoundUsers, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        ...

    async def count(self) -> int:
        """Return the number of users."""
        ...
