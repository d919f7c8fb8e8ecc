"""`UserRepository` over PostgreSQL."""

from __future__ import annotations

from psycopg import IntegrityError

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, PasswordHash, UserId
from shop.infrastructure.postgres.errors import violates
from shop.infrastructure.postgres.mapping import user_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import users
from shop_db.constraints import OrderConstraint, UserConstraint


class PostgresUserRepository:
    """Users in the table `users`, on one connection, in whatever transaction that connection is in.

    Writes that a constraint may refuse run in a savepoint: PostgreSQL gives up the whole transaction after an error, and a caller who
    gets `EmailTaken` must be able to go on.
    """

    def __init__(self, queries: Queries) -> None:
        self._query = queries

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        profile = new.profile
        try:
            async with self._query.savepoint():
                row = await self._query(
                    users.create_user,
                    first_name=profile.name.first,
                    last_name=profile.name.last,
                    email=profile.email.text,
                    phone=None if profile.phone is None else profile.phone.text,
                    password=new.password.encoded,
                )
        except IntegrityError as error:
            if violates(error, UserConstraint.USERS_EMAIL_KEY):
                return Err(EmailTaken(profile.email))
            raise
        return Ok(user_from(row))

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Get a user by id."""
        row = await self._query(users.get_user, id=user_id)
        return Err(UserNotFound(user_id)) if row is None else Ok(user_from(row))

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Get a user by e-mail address, whatever its case."""
        row = await self._query(users.get_user_by_email, email=email.text)
        return Err(UserNotFound(email)) if row is None else Ok(user_from(row))

    async def update_profile(
        self, user_id: UserId, profile: Profile, *, version: int
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Replace a user's profile, and get the user as it is then. Nothing is written where `version` is not the current one."""
        try:
            async with self._query.savepoint():
                row = await self._query(
                    users.update_user_profile,
                    id=user_id,
                    version=version,
                    first_name=profile.name.first,
                    last_name=profile.name.last,
                    email=profile.email.text,
                    phone=None if profile.phone is None else profile.phone.text,
                )
        except IntegrityError as error:
            if violates(error, UserConstraint.USERS_EMAIL_KEY):
                return Err(EmailTaken(profile.email))
            raise
        return Err(await self._missing_or_changed(user_id)) if row is None else Ok(user_from(row))

    async def update_password(
        self, user_id: UserId, password: PasswordHash, *, version: int
    ) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Replace a user's password. Nothing is written where `version` is not the current one."""
        touched = await self._query(users.update_user_password, id=user_id, password=password.encoded, version=version)
        return Ok(None) if touched else Err(await self._missing_or_changed(user_id))

    async def delete(self, user_id: UserId) -> Result[None, UserNotFound | UserHasOrders]:
        """Delete a user for good."""
        try:
            async with self._query.savepoint():
                touched = await self._query(users.delete_user, id=user_id)
        except IntegrityError as error:
            if violates(error, OrderConstraint.ORDERS_USER_ID_FKEY):
                return Err(UserHasOrders(user_id))
            raise
        return Ok(None) if touched else Err(UserNotFound(user_id))

    async def _missing_or_changed(self, user_id: UserId) -> UserNotFound | ChangedMeanwhile:
        found = await self.get(user_id)
        return found.error if isinstance(found, Err) else ChangedMeanwhile("user", user_id)
