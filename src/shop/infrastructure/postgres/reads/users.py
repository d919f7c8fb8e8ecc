"""`UserReadRepository` over PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from shop.application.reads.models import PublicProfile, UserSummary
from shop.application.reads.users import UserPage, UserPageKey
from shop.domain.users import Role
from shop.domain.values import UserId
from shop.infrastructure.postgres.mapping import public_profile_from, user_summary_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import users


class PostgresUserReadRepository:
    """Reads the table `users`."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Mapping[UserId, PublicProfile]:
        """Return the public profiles of these users, in one round trip, without the unknown ids."""
        ids: list[uuid.UUID] = list(user_ids)
        rows = await self._query(users.get_public_profiles, ids=ids)
        return {UserId(row.id): public_profile_from(row) for row in rows}

    async def get(self, user_id: UserId) -> UserSummary | None:
        """Return the data of a user, None for an unknown id."""
        row = await self._query(users.get_user_summary, id=user_id)
        return None if row is None else user_summary_from(row)

    async def role(self, user_id: UserId) -> Role | None:
        """Return the role of a user, None for an unknown id."""
        role = await self._query(users.get_user_role, id=user_id)
        return None if role is None else Role(role.value)

    async def page(self, size: int, after: UserPageKey | None = None) -> UserPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one user, not {size}")
        # One more than requested, to know without a second query whether there is a next page.
        rows = await self._query(
            users.list_users,
            after_created_at=None if after is None else after.created_at,
            after_id=None if after is None else after.id,
            page_size=size + 1,
        )
        summaries = tuple(user_summary_from(row) for row in rows[:size])
        if len(rows) <= size:
            return UserPage(summaries, following=None)
        last = summaries[-1]
        return UserPage(summaries, following=UserPageKey(last.created_at, last.id))

    async def search(self, wanted: str, at_most: int) -> Sequence[UserSummary]:
        """Return the users with this text in "first last address", in any case, by registration."""
        return [user_summary_from(row) for row in await self._query(users.search_users, wanted=wanted, at_most=at_most)]

    async def count(self) -> int:
        """Return the number of users."""
        return await self._query(users.count_users)
