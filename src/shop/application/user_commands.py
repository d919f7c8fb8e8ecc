"""What can be done with users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from shop.application.context import Context
from shop.application.login_attempts import DEFAULT_LIMIT, LoginLimit, TooManyAttempts
from shop.application.passwords import PasswordHasher
from shop.application.transactions import Operation, Transactions
from shop.application.unit_of_work import Failure, TransactionConflict
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.events import AuthenticationFailed, UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, Password, UserId


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """No user has this address and this password; which of the two is wrong is nobody's business."""

    def __str__(self) -> str:
        return "the e-mail address or the password is wrong"


ProfileError: TypeAlias = UserNotFound | EmailTaken | ChangedMeanwhile
LoginError: TypeAlias = WrongCredentials | TooManyAttempts
PasswordError: TypeAlias = UserNotFound | LoginError | ChangedMeanwhile


class UserCommands:
    """The use cases that write users. Each is one transaction, with its audit entry and its events."""

    def __init__(self, transactions: Transactions, passwords: PasswordHasher, limit: LoginLimit = DEFAULT_LIMIT) -> None:
        self._transactions = transactions
        self._passwords = passwords
        self._limit = limit

    async def register(self, context: Context, profile: Profile, password: Password) -> Result[User, EmailTaken | Failure]:
        """Make somebody a user."""
        # Before the transaction: hashing takes long on purpose, and a connection is not to wait for it.
        hashed = await self._passwords.hash(password.text)

        async def work(operation: Operation) -> Result[User, EmailTaken]:
            added = await operation.users.add(NewUser(profile, hashed))
            match added:
                case Ok(user):
                    await operation.done(_subject(user.id), UserRegistered(user.id))
                case Err(error):
                    await operation.refused(_login(profile.email), error)
            return added

        return await self._transactions.run(context, "user.register", work)

    async def authenticate(self, context: Context, email: EmailAddress, password: str) -> Result[User, LoginError | Failure]:
        """Find the user with this address and password. A hash made with outdated parameters is replaced on the way.

        An address that nobody has takes the same steps as one with a wrong password, the limit on attempts included.
        """

        async def count(operation: Operation) -> Result[User | None, TooManyAttempts]:
            blocked = await operation.logins.count(email, self._limit)
            if blocked is not None:
                await operation.refused(_login(email), blocked)
                return Err(blocked)
            found = await operation.users.get_by_email(email)
            await operation.noted()
            return Ok(found.value if isinstance(found, Ok) else None)

        counted = await self._transactions.run(context, "user.authenticate", count)
        if isinstance(counted, Err):
            return counted
        known = counted.value
        user = known if await self._passwords.verify(password, None if known is None else known.password) else None
        fresh = await self._passwords.hash(password) if user is not None and self._passwords.is_outdated(user.password) else None

        async def work(operation: Operation) -> Result[User, WrongCredentials]:
            if user is None:
                await operation.refused(_login(email), WrongCredentials(), AuthenticationFailed(email))
                return Err(WrongCredentials())
            await operation.logins.forget(email)
            # Where somebody changed the user meanwhile the old hash stays, until the next time.
            rehashed = fresh is not None and isinstance(await operation.users.update_password(user.id, fresh, version=user.version), Ok)
            await operation.done(_subject(user.id), **({"rehashed": "yes"} if rehashed else {}))
            return Ok(user)

        return await self._transactions.run(context, "user.authenticate", work)

    async def update_profile(
        self, context: Context, user_id: UserId, change: Profile | Callable[[Profile], Profile], *, version: int | None = None
    ) -> Result[User, ProfileError | Failure]:
        """Replace a user's profile by another, or by what is made of it.

        With `version`, only if that is still the current one: what the caller looked at when deciding.
        """

        async def work(operation: Operation) -> Result[User, ProfileError]:
            read = await operation.users.get(user_id)
            if isinstance(read, Err):
                await operation.refused(_subject(user_id), read.error)
                return read
            if version is not None and version != read.value.version:
                # Not left to the column, which holds fewer numbers than a caller may write.
                changed = ChangedMeanwhile("user", user_id)
                await operation.refused(_subject(user_id), changed)
                return Err(changed)
            profile = change if isinstance(change, Profile) else change(read.value.profile)
            updated = await operation.users.update_profile(user_id, profile, version=read.value.version)
            match updated:
                case Ok():
                    await operation.done(_subject(user_id), UserProfileUpdated(user_id))
                case Err(ChangedMeanwhile() as conflict) if version is None:
                    raise TransactionConflict(str(conflict))
                case Err(error):
                    await operation.refused(_subject(user_id), error)
            return updated

        return await self._transactions.run(context, "user.update_profile", work)

    async def change_password(self, context: Context, user_id: UserId, old: str, new: Password) -> Result[None, PasswordError | Failure]:
        """Replace a user's password, for whoever knows the old one. Guesses at that count as attempts to log in."""

        async def count(operation: Operation) -> Result[User, UserNotFound | TooManyAttempts]:
            found = await operation.users.get(user_id)
            if isinstance(found, Err):
                await operation.refused(_subject(user_id), found.error)
                return found
            blocked = await operation.logins.count(found.value.profile.email, self._limit)
            if blocked is not None:
                await operation.refused(_subject(user_id), blocked)
                return Err(blocked)
            await operation.noted()
            return found

        counted = await self._transactions.run(context, "user.change_password", count)
        if isinstance(counted, Err):
            return counted
        user = counted.value
        is_right = await self._passwords.verify(old, user.password)
        hashed = await self._passwords.hash(new.text)

        async def work(operation: Operation) -> Result[None, PasswordError]:
            if not is_right:
                await operation.refused(_subject(user_id), WrongCredentials(), AuthenticationFailed(user.profile.email))
                return Err(WrongCredentials())
            # The version that the old password was checked against: of two who change it at once, one is told to look again.
            changed = await operation.users.update_password(user_id, hashed, version=user.version)
            match changed:
                case Ok():
                    await operation.logins.forget(user.profile.email)
                    await operation.done(_subject(user_id), UserPasswordChanged(user_id))
                case Err(error):
                    await operation.refused(_subject(user_id), error)
            return changed

        return await self._transactions.run(context, "user.change_password", work)

    async def delete(self, context: Context, user_id: UserId) -> Result[None, UserNotFound | UserHasOrders | Failure]:
        """Delete a user for good. One with orders stays."""

        async def work(operation: Operation) -> Result[None, UserNotFound | UserHasOrders]:
            deleted = await operation.users.delete(user_id)
            match deleted:
                case Ok():
                    await operation.done(_subject(user_id), UserDeleted(user_id))
                case Err(error):
                    await operation.refused(_subject(user_id), error)
            return deleted

        return await self._transactions.run(context, "user.delete", work)


def _subject(user_id: UserId) -> str:
    return f"user:{user_id}"


def _login(email: EmailAddress) -> str:
    return f"login:{email.text.lower()}"
