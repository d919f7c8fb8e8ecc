"""`UserRepository` over PostgreSQL."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserNotFound
from shop.domain.values import EmailAddress, PasswordHash, UserId
from shop.infrastructure.postgres.mapping import user_from
from shop_db import users

_EMAIL_KEY = "users_email_key"


class PostgresUserRepository:
    """Users in the table `users`, on one connection, in whatever transaction that connection is in.

    Writes that a unique index may refuse run in a savepoint: PostgreSQL gives up the whole transaction after an error, and a caller who
    gets `EmailTaken` must be able to go on.
    """

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self._conn = conn

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        profile = new.profile
        try:
            async with self._conn.transaction():
                row = await users.create_user(
                    self._conn,
                    first_name=profile.name.first,
                    last_name=profile.name.last,
                    email=profile.email.text,
                    phone=None if profile.phone is None else profile.phone.text,
                    password=new.password.encoded,
                )
        except UniqueViolation as error:
            return Err(_email_taken(error, profile.email))
        return Ok(user_from(row))

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Get a user by id."""
        row = await users.get_user(self._conn, id=user_id)
        return Err(UserNotFound(user_id)) if row is None else Ok(user_from(row))

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Get a user by e-mail address, whatever its case."""
        row = await users.get_user_by_email(self._conn, email=email.text)
        return Err(UserNotFound(email)) if row is None else Ok(user_from(row))

    async def update_profile(self, user_id: UserId, profile: Profile) -> Result[User, UserNotFound | EmailTaken]:
        """Replace a user's profile, and get the user as it is then."""
        try:
            async with self._conn.transaction():
                row = await users.update_user_profile(
                    self._conn,
                    id=user_id,
                    first_name=profile.name.first,
                    last_name=profile.name.last,
                    email=profile.email.text,
                    phone=None if profile.phone is None else profile.phone.text,
                )
        except UniqueViolation as error:
            return Err(_email_taken(error, profile.email))
        return Err(UserNotFound(user_id)) if row is None else Ok(user_from(row))

    async def update_password(self, user_id: UserId, password: PasswordHash) -> Result[None, UserNotFound]:
        """Replace a user's password."""
        touched = await users.update_user_password(self._conn, id=user_id, password=password.encoded)
        return Ok(None) if touched else Err(UserNotFound(user_id))

    async def delete(self, user_id: UserId) -> Result[None, UserNotFound]:
        """Delete a user for good."""
        touched = await users.delete_user(self._conn, id=user_id)
        return Ok(None) if touched else Err(UserNotFound(user_id))


def _email_taken(error: UniqueViolation, email: EmailAddress) -> EmailTaken:
    """The domain's word for a violation of the e-mail index. Any other violation is raised again."""
    if error.diag.constraint_name != _EMAIL_KEY:
        raise error
    return EmailTaken(email)
