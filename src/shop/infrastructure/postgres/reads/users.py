"""`UserReadRepository` over PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict

from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import PublicProfile, UserSummary
from shop.application.reads.searches import UserFilter, UserSort
from shop.application.reads.users import FoundUsers, Standing, UserPage, UserPageKey
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Role
from shop.domain.values import UserId
from shop.infrastructure.postgres.mapping import given, public_profile_from, role_to, user_summary_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import UNSET, CursorError, Page, Unset, users
from shop_db.enums import UserRole


class _Filters(TypedDict):
    last_name: str | Unset
    email: str | Unset
    roles: list[UserRole] | Unset
    registered_since: datetime | Unset
    registered_before: datetime | Unset


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

    async def standing(self, user_id: UserId) -> Standing | None:
        """Return the standing of a user, None for an unknown id."""
        row = await self._query(users.get_user_standing, id=user_id)
        return None if row is None else Standing(Role(row.role.value), row.session_generation)

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

    async def find(self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None = None) -> Result[FoundUsers, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        filters: _Filters = {
            "last_name": given(wanted.last_name),
            "email": given(wanted.email),
            "roles": [role_to(role) for role in wanted.roles] or UNSET,
            "registered_since": given(wanted.registered_since),
            "registered_before": given(wanted.registered_before),
        }
        page: Page[users.FindUsersRow] | Page[users.SearchUsersRow]
        try:
            if wanted.part is None:
                page = await self._query(users.find_users, **filters, page_size=size, order=sort, cursor=cursor)
            else:
                page = await self._query(users.search_users, part=wanted.part, **filters, page_size=size, order=sort, cursor=cursor)
        except CursorError:
            return Err(InvalidCursor(f"found users, {sort} first"))
        return Ok(FoundUsers(tuple(user_summary_from(row) for row in page.rows), page.next, page.previous))

    async def count(self) -> int:
        """Return the number of users."""
        return await self._query(users.count_users)
