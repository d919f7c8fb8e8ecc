"""From rows to entities and read models."""

from __future__ import annotations

from shop.application.user_directory import PublicProfile, UserSummary
from shop.domain.users import Profile, User
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId
from shop_db.models import User as UserRow
from shop_db.users import GetPublicProfilesRow, ListUsersRow


class UnreadableRow(Exception):
    """A row that the domain's rules refuse: something other than this service wrote it. Names the row and the rule."""


def user_from(row: UserRow) -> User:
    """Build the entity. Raises `UnreadableRow`."""
    try:
        return User(
            id=UserId(row.id),
            profile=Profile(
                name=PersonName(row.first_name, row.last_name),
                email=EmailAddress(row.email),
                phone=None if row.phone is None else PhoneNumber(row.phone),
            ),
            password=PasswordHash(row.password),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
    except ValueError as error:
        raise UnreadableRow(f"users row {row.id}: {error}") from error


def public_profile_from(row: GetPublicProfilesRow) -> PublicProfile:
    """Build the read model."""
    return PublicProfile(id=UserId(row.id), first_name=row.first_name, last_name=row.last_name)


def user_summary_from(row: ListUsersRow) -> UserSummary:
    """Build the read model."""
    return UserSummary(
        id=UserId(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        phone=row.phone,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
