"""`UserRepository` over PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from psycopg import IntegrityError

from shop.application.transactions.failures import TransactionConflict
from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.result import Err, Ok, Result
from shop.domain.users import AddressChanges, EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, UserId
from shop.infrastructure.postgres.errors import violates
from shop.infrastructure.postgres.mapping import role_to, seed_params_of, user_from
from shop.infrastructure.postgres.queries import Queries
from shop_db import UNSET, outbox, users
from shop_db.constraints import OrderConstraint, UserConstraint

# That are erased together with the user. Those beyond are left to `Erasures`, so that no number of traces makes an erasure impossible.
_TRACES: Final = 5_000


class PostgresUserRepository:
    """The table `users`, in the current transaction of a connection.

    Writes that may violate a constraint run in a savepoint: after an error PostgreSQL aborts the whole transaction, and a caller who
    receives `EmailTaken` must be able to continue.
    """

    def __init__(self, queries: Queries, events: CollectedEvents) -> None:
        self._query = queries
        self._events = events

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
        return Ok(self._events.collect(new.registered(UserId(row.id), row.created_at)))

    async def add_all(self, new: Sequence[NewUser]) -> Sequence[EmailTaken]:
        """Register many users of different addresses, except those whose address is taken, which are returned."""
        by_email = {each.profile.email.text.lower(): each for each in new}
        taken = set(await self._query(users.get_taken_emails, lower_emails=list(by_email)))
        now = await self._query(outbox.get_time)
        # With ids of its own, since COPY returns none.
        added = [each.registered(UserId(uuid.uuid4()), now) for email, each in by_email.items() if email not in taken]
        try:
            await self._query(users.seed_users, map(seed_params_of, added))
        except IntegrityError as error:
            if violates(error, UserConstraint.USERS_EMAIL_KEY):
                raise TransactionConflict("an address was taken in the meantime") from None
            raise
        for user in added:
            self._events.collect(user)
        return [EmailTaken(by_email[email].profile.email) for email in by_email if email in taken]

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Return the user with this id."""
        row = await self._query(users.get_user, id=user_id)
        return Err(UserNotFound(user_id)) if row is None else Ok(user_from(row))

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Return the user with this e-mail address, in any case."""
        row = await self._query(users.get_user_by_email, email=email.text)
        return Err(UserNotFound(email)) if row is None else Ok(user_from(row))

    async def address_changes(self, user_id: UserId, within: timedelta) -> AddressChanges:
        """Count the changes of the user's address by the user within a period."""
        counted = await self._query(users.count_address_changes, id=user_id, period=within)
        return AddressChanges(counted.changes, counted.seconds_left)

    async def save_profile(
        self, user: User, before: Profile | None = None, *, is_own: bool = True
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Write the user's profile, or what differs from the one `before`, and return the user as stored.

        `is_own` is whether the change is one by the user. Writes nothing if `user.version` is not the current version.
        """
        profile = user.profile
        # A profile that does not change is written whole: it gets a new version all the same.
        old = None if before == profile else before
        is_same_address = old is not None and old.email.text == profile.email.text
        try:
            async with self._query.savepoint():
                row = await self._query(
                    users.update_user_profile,
                    id=user.id,
                    version=user.version,
                    first_name=UNSET if old and old.name.first == profile.name.first else profile.name.first,
                    last_name=UNSET if old and old.name.last == profile.name.last else profile.name.last,
                    email=UNSET if is_same_address else profile.email.text,
                    email_by_user=UNSET if is_same_address else is_own,
                    phone=UNSET if old and old.phone == profile.phone else profile.phone.text if profile.phone else None,
                )
        except IntegrityError as error:
            if violates(error, UserConstraint.USERS_EMAIL_KEY):
                return Err(EmailTaken(profile.email))
            raise
        if row is None:
            return Err(await self._missing_or_changed(user.id))
        self._events.collect(user)
        return Ok(user_from(row))

    async def save_password(self, user: User, *, is_rehashed: bool = False) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's password, and end the user's sessions, unless it is a new hash of the same password.

        Writes nothing if `user.version` is not the current version.
        """
        touched = await self._query(
            users.update_user_password,
            id=user.id,
            password=user.password.encoded,
            is_rehashed=is_rehashed,
            version=user.version,
        )
        if not touched:
            return Err(await self._missing_or_changed(user.id))
        self._events.collect(user)
        return Ok(None)

    async def end_sessions(self, user_id: UserId) -> Result[None, UserNotFound]:
        """Begin the next generation of the user's sessions."""
        return Ok(None) if await self._query(users.end_user_sessions, id=user_id) else Err(UserNotFound(user_id))

    async def save_role(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's role. Writes nothing if `user.version` is not the current version."""
        touched = await self._query(users.update_user_role, id=user.id, role=role_to(user.role), version=user.version)
        if not touched:
            return Err(await self._missing_or_changed(user.id))
        self._events.collect(user)
        return Ok(None)

    async def delete(self, user: User) -> Result[None, UserNotFound | UserHasOrders | ChangedMeanwhile]:
        """Delete the user. Writes nothing if `user.version` is not the current version."""
        try:
            async with self._query.savepoint():
                touched = await self._query(users.delete_user, id=user.id, version=user.version)
        except IntegrityError as error:
            if violates(error, OrderConstraint.ORDERS_USER_ID_FKEY):
                return Err(UserHasOrders(user.id))
            raise
        if not touched:
            return Err(await self._missing_or_changed(user.id))
        await self._erase_traces(user)
        return Ok(None)

    async def erase(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Erase the user's personal data. Afterwards the user is not found, and its orders are.

        Writes nothing if `user.version` is not the current version.
        """
        if not await self._query(users.erase_user, id=user.id, version=user.version):
            return Err(await self._missing_or_changed(user.id))
        await self._erase_traces(user)
        return Ok(None)

    async def _erase_traces(self, user: User) -> None:
        await self._query(users.erase_traces, id=user.id, at_most=_TRACES)
        self._events.collect(user)

    async def _missing_or_changed(self, user_id: UserId) -> UserNotFound | ChangedMeanwhile:
        read = await self.get(user_id)
        return read.error if isinstance(read, Err) else ChangedMeanwhile("user", user_id)
