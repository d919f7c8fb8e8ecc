"""The use cases that write users."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, TypeAlias

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.commands.login_attempts import DEFAULT_LIMIT, LoginAttempts, LoginLimit, TooManyAttempts
from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.application.transactions.failures import Failure, TransactionConflict
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.events import AuthenticationFailed, AuthenticationSucceeded
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, ProfileChange, Role, User, UserHasOrders, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, Password, PasswordHash, UserId


class UserStores(Protocol):
    """The repositories that these use cases require."""

    @property
    def users(self) -> UserRepository:
        """The users."""
        ...

    @property
    def logins(self) -> LoginAttempts:
        """The counts of login attempts."""
        ...


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """No user has this address and this password; which of the two is wrong is not disclosed."""

    def __str__(self) -> str:
        return "the e-mail address or the password is wrong"


@dataclass(frozen=True, slots=True)
class TooManyAddressChanges:
    """The user has changed the address too often in a day. Each change is reported to an address that may be anybody's."""

    retry_after: float

    def __str__(self) -> str:
        hours = max(1, math.ceil(self.retry_after / 3600))
        return f"the address was changed {_CHANGES} times within a day; try again in {hours} hour{'s' if hours > 1 else ''}"


@dataclass(frozen=True, slots=True)
class _Verified:
    """The user of an attempt to log in, if there is one, and again if the password is right, with a new hash if that is to be replaced."""

    known: User | None
    user: User | None
    new_hash: PasswordHash | None = None


AUTHENTICATE: Final = "user.authenticate"
"""The action of a login in the audit log."""

_CHANGES: Final = 5
_PERIOD_OF_CHANGES: Final = timedelta(days=1)

ProfileError: TypeAlias = UserNotFound | EmailTaken | TooManyAddressChanges | ChangedMeanwhile | NotAllowed
LoginError: TypeAlias = WrongCredentials | TooManyAttempts
RegisterError: TypeAlias = EmailTaken | NotAllowed
PasswordError: TypeAlias = UserNotFound | LoginError | ChangedMeanwhile | NotAllowed
DeleteError: TypeAlias = UserNotFound | UserHasOrders | ChangedMeanwhile | NotAllowed
EraseError: TypeAlias = UserNotFound | ChangedMeanwhile | NotAllowed
RoleError: TypeAlias = UserNotFound | ChangedMeanwhile | NotAllowed


class UserCommands:
    """Writes users. Each use case is one transaction with its audit entry and its events; those that hash a password have one before it."""

    def __init__(self, transactions: Transactions[UserStores], passwords: PasswordHasher, limit: LoginLimit = DEFAULT_LIMIT) -> None:
        self._transactions = transactions
        self._passwords = passwords
        self._limit = limit

    async def register(self, context: Context, profile: Profile, password: Password) -> Result[User, RegisterError | Failure]:
        """Register a user. A password is hashed only where the address is free, and the request was not carried out before."""
        subject = login_subject(profile.email)

        async def check(operation: Operation[UserStores]) -> Result[None, RegisterError]:
            if (denied := await operation.denied(subject, None)) is not None:
                return denied
            if isinstance(await operation.repositories.users.get_by_email(profile.email), Err):
                return Ok(None)
            taken = EmailTaken(profile.email)
            await operation.refused(subject, taken)
            return Err(taken)

        async def hash_it(_: None) -> PasswordHash:
            return await self._passwords.hash(password.text)

        async def work(operation: Operation[UserStores], hashed: PasswordHash) -> Result[User, RegisterError]:
            # Again: it may have been registered meanwhile, also by a request under the same key.
            if (denied := await operation.denied(subject, None)) is not None:
                return denied
            added = await operation.repositories.users.add(NewUser(profile, hashed))
            match added:
                case Ok(user):
                    await operation.done(user_subject(user.id))
                case Err(error):
                    await operation.refused(subject, error)
            return added

        return await self._transactions.run_prepared(context, Action.REGISTER, check, hash_it, work)

    async def import_batch(self, context: Context, batch: Sequence[NewUser]) -> Result[Sequence[EmailTaken], NotAllowed | Failure]:
        """Register many users, with the hashes of their passwords, in one transaction; return those whose address is taken."""

        async def work(operation: Operation[UserStores]) -> Result[Sequence[EmailTaken], NotAllowed]:
            if (denied := await operation.denied("users", None)) is not None:
                return denied
            taken = await operation.repositories.users.add_all(batch)
            await operation.done("users", imported=str(len(batch) - len(taken)), refused=str(len(taken)))
            return Ok(taken)

        return await self._transactions.run(context, Action.IMPORT_USERS, work)

    async def authenticate(self, context: Context, email: EmailAddress, password: str) -> Result[User, LoginError | Failure]:
        """Return the user with this address and password. A hash with outdated parameters is replaced.

        An unknown address takes the same steps as a wrong password, including the limit on attempts.
        """

        async def count(operation: Operation[UserStores]) -> Result[User | None, LoginError]:
            read = await operation.repositories.users.get_by_email(email)
            user = read.value if isinstance(read, Ok) else None
            # By the id, as the guesses of the old password: who changes the address begins no new period.
            blocked = await operation.repositories.logins.count(email if user is None else user.id, self._limit)
            if blocked is not None:
                await operation.refused(_attempted(email, user), blocked)
                return Err(blocked)
            operation.commit()
            return Ok(user)

        async def verify(known: User | None) -> _Verified:
            user = known if await self._passwords.verify(password, None if known is None else known.password) else None
            if user is None or not self._passwords.is_outdated(user.password):
                return _Verified(known, user)
            return _Verified(known, user, await self._passwords.hash(password))

        async def work(operation: Operation[UserStores], verified: _Verified) -> Result[User, LoginError]:
            user, rehashed = verified.user, verified.new_hash
            if user is None:
                await operation.refused(_attempted(email, verified.known), WrongCredentials(), AuthenticationFailed(email))
                return Err(WrongCredentials())
            users, is_saved = operation.repositories.users, False
            await operation.repositories.logins.forget(user.id)
            if rehashed is not None:
                # If the user was changed in the meantime, the old hash stays until the next login.
                is_saved = isinstance(await users.save_password(user.rehash_password(rehashed), is_rehashed=True), Ok)
            await operation.done(user_subject(user.id), AuthenticationSucceeded(user.id), **({"rehashed": "yes"} if is_saved else {}))
            return Ok(user)

        return await self._transactions.run_prepared(context, AUTHENTICATE, count, verify, work)

    async def session_generation(self, context: Context, user_id: UserId) -> Result[int, UserNotFound | Failure]:
        """Return the generation of the sessions of a user that are open."""

        async def work(operation: Operation[UserStores]) -> Result[int, UserNotFound]:
            read = await operation.repositories.users.get(user_id)
            return Ok(read.value.session_generation) if isinstance(read, Ok) else read

        return await self._transactions.run(context, "session.open", work)

    async def end_sessions(self, context: Context, user_id: UserId) -> Result[None, UserNotFound | NotAllowed | Failure]:
        """End all sessions of a user, from the next request on."""

        async def work(operation: Operation[UserStores]) -> Result[None, UserNotFound | NotAllowed]:
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            ended = await operation.repositories.users.end_sessions(user_id)
            match ended:
                case Ok():
                    await operation.done(user_subject(user_id))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return ended

        return await self._transactions.run(context, Action.END_SESSIONS, work)

    async def update_profile(
        self, context: Context, user_id: UserId, change: Profile | ProfileChange, *, versions: Versions = None
    ) -> Result[User, ProfileError | Failure]:
        """Replace a user's profile, or change parts of it.

        With `versions`, only if the current one is still among them: those that the caller's decision is based on.
        """

        async def work(operation: Operation[UserStores]) -> Result[User, ProfileError]:
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            read = await operation.repositories.users.get(user_id)
            # Compared here and not in SQL, since the column has a smaller range than the argument.
            expected = read.value.expect_version(versions) if isinstance(read, Ok) else read
            if isinstance(expected, Err):
                await operation.refused(user_subject(user_id), expected.error)
                return expected
            user = expected.value
            changed = user.update_profile(change if isinstance(change, Profile) else change.applied_to(user.profile))
            # Not of others: they must be able to restore an address that was changed by a thief of a session.
            is_own = context.actor.user_id == user_id
            blocked = await _address_limit(operation.repositories.users, user, changed) if is_own else None
            if blocked is not None:
                await operation.refused(user_subject(user_id), blocked)
                return Err(blocked)
            updated = await operation.repositories.users.save_profile(changed, before=user.profile, is_own=is_own)
            match updated:
                case Ok():
                    await operation.done(user_subject(user_id))
                case Err(ChangedMeanwhile() as conflict) if versions is None:
                    raise TransactionConflict(str(conflict))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return updated

        return await self._transactions.run(context, Action.UPDATE_PROFILE, work)

    async def change_password(
        self, context: Context, user_id: UserId, old: str, new: Password, versions: Versions = None
    ) -> Result[None, PasswordError | Failure]:
        """Replace a user's password, if the old one is right, with `versions` only if the current one is still among them.

        Wrong guesses count as attempts to log in.
        """

        async def verify(user: User) -> tuple[User, PasswordHash | None]:
            is_right = await self._passwords.verify(old, user.password)
            return user, await self._passwords.hash(new.text) if is_right else None

        async def work(operation: Operation[UserStores], verified: tuple[User, PasswordHash | None]) -> Result[None, PasswordError]:
            user, hashed = verified
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            if hashed is None:
                await operation.refused(user_subject(user_id), WrongCredentials(), AuthenticationFailed(user.profile.email))
                return Err(WrongCredentials())
            # With the version whose password was verified: of two concurrent changes, the second is refused.
            changed = await operation.repositories.users.save_password(user.change_password(hashed))
            match changed:
                case Ok():
                    await operation.repositories.logins.forget(user_id)
                    await operation.done(user_subject(user_id))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return changed

        return await self._transactions.run_prepared(
            context, Action.CHANGE_PASSWORD, lambda operation: self._count_guess(operation, user_id, versions), verify, work
        )

    async def _count_guess(self, operation: Operation[UserStores], user_id: UserId, versions: Versions) -> Result[User, PasswordError]:
        if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
            return denied
        read = await operation.repositories.users.get(user_id)
        expected = read.value.expect_version(versions) if isinstance(read, Ok) else read
        if isinstance(expected, Err):
            await operation.refused(user_subject(user_id), expected.error)
            return expected
        blocked = await operation.repositories.logins.count(user_id, self._limit)
        if blocked is not None:
            await operation.refused(user_subject(user_id), blocked)
            return Err(blocked)
        operation.commit()
        return expected

    async def grant(self, context: Context, user_id: UserId, role: Role, versions: Versions = None) -> Result[None, RoleError | Failure]:
        """Set a user's role, from the user's next request on, with `versions` only if the current one is still among them.

        A role that the user has is no change, and no event.
        """

        async def work(operation: Operation[UserStores]) -> Result[None, RoleError]:
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            read = await operation.repositories.users.get(user_id)
            expected = read.value.expect_version(versions) if isinstance(read, Ok) else read
            if isinstance(expected, Err):
                await operation.refused(user_subject(user_id), expected.error)
                return expected
            user = expected.value
            if user.grant(role) is user:
                await operation.done(user_subject(user_id), role=role, changed="no")
                return Ok(None)
            granted = await operation.repositories.users.save_role(user.grant(role))
            match granted:
                case Ok():
                    await operation.done(user_subject(user_id), role=role)
                case Err(ChangedMeanwhile() as conflict) if versions is None:
                    raise TransactionConflict(str(conflict))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return granted

        return await self._transactions.run(context, Action.GRANT_ROLE, work)

    async def act_as(self, context: Context, user_id: UserId) -> Result[Actor, RoleError | Failure]:
        """Return the actor of an administrator in whose name the actor of the context goes on. Both must be allowed to."""

        async def work(operation: Operation[UserStores]) -> Result[Actor, RoleError]:
            if (denied := await operation.denied(user_subject(user_id), None)) is not None:
                return denied
            read = await operation.repositories.users.get(user_id)
            if isinstance(read, Err):
                await operation.refused(user_subject(user_id), read.error)
                return read
            actor = Actor.user(user_id, read.value.role)
            reason = refusal(actor, Action.ACT_AS)
            if reason is not None:
                await operation.refused(user_subject(user_id), reason)
                return Err(reason)
            await operation.done(user_subject(user_id))
            return Ok(actor)

        return await self._transactions.run(context, Action.ACT_AS, work)

    async def delete(self, context: Context, user_id: UserId, versions: Versions = None) -> Result[None, DeleteError | Failure]:
        """Delete a user, with `versions` only if the current one is still among them. A user with orders cannot be deleted."""

        async def work(operation: Operation[UserStores]) -> Result[None, DeleteError]:
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            read = await operation.repositories.users.get(user_id)
            expected = read.value.expect_version(versions) if isinstance(read, Ok) else read
            if isinstance(expected, Err):
                await operation.refused(user_subject(user_id), expected.error)
                return expected
            deleted = await operation.repositories.users.delete(expected.value.delete())
            match deleted:
                case Ok():
                    if context.actor.user_id == user_id:
                        operation.withhold_origin()
                    await operation.done(user_subject(user_id), **_deleted(expected.value))
                case Err(ChangedMeanwhile() as conflict) if versions is None:
                    raise TransactionConflict(str(conflict))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return deleted

        return await self._transactions.run(context, Action.DELETE_USER, work)

    async def erase(self, context: Context, user_id: UserId, versions: Versions = None) -> Result[None, EraseError | Failure]:
        """Erase the personal data of a user, for whom it is a deletion, with `versions` only if the current one is still among them.

        The orders are kept.
        """

        async def work(operation: Operation[UserStores]) -> Result[None, EraseError]:
            if (denied := await operation.denied(user_subject(user_id), user_id)) is not None:
                return denied
            read = await operation.repositories.users.get(user_id)
            expected = read.value.expect_version(versions) if isinstance(read, Ok) else read
            erased = await operation.repositories.users.erase(expected.value.delete()) if isinstance(expected, Ok) else expected
            match erased:
                case Ok():
                    if context.actor.user_id == user_id:
                        operation.withhold_origin()
                    await operation.done(user_subject(user_id))
                case Err(ChangedMeanwhile() as conflict) if versions is None:
                    raise TransactionConflict(str(conflict))
                case Err(error):
                    await operation.refused(user_subject(user_id), error)
            return erased

        return await self._transactions.run(context, Action.ERASE_USER, work)


async def _address_limit(users: UserRepository, user: User, changed: User) -> TooManyAddressChanges | None:
    # Another case is the same address. A concurrent change is a conflict of versions, and counted before the next attempt.
    if user.profile.email.text.lower() == changed.profile.email.text.lower():
        return None
    made = await users.address_changes(user.id, _PERIOD_OF_CHANGES)
    return TooManyAddressChanges(made.seconds_left) if made.number >= _CHANGES else None


def _deleted(user: User) -> dict[str, str]:
    """Describe a deleted user for the audit log, without personal data."""
    return {"registered": user.created_at.isoformat(), "version": str(user.version), "role": user.role}


def user_subject(user_id: UserId) -> str:
    """Return the subject of a user in the audit log."""
    return f"user:{user_id}"


def _attempted(email: EmailAddress, known: User | None) -> str:
    """Return the subject of an attempt to log in: the user, if the address is that of one."""
    return login_subject(email) if known is None else user_subject(known.id)


def login_subject(email: EmailAddress) -> str:
    """Return the subject of an address that may be that of no user: a digest, since the audit log cannot forget an address."""
    return f"login:{hashlib.sha256(email.text.lower().encode()).hexdigest()}"
