"""Users: the aggregate, its expected errors, and its repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Literal, Protocol

from shop.domain.aggregate import Aggregate
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.events import UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered, UserRoleChanged
from shop.domain.result import Err, Ok, Result
from shop.domain.values import EmailAddress, InvalidValue, NameChange, PasswordHash, PersonName, PhoneNumber, UserId


class Role(StrEnum):
    """What a user may do: `application/authorisation.py` has the table."""

    CUSTOMER = "customer"
    CLERK = "clerk"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Profile:
    """The data that users edit about themselves."""

    name: PersonName
    email: EmailAddress
    phone: PhoneNumber | None = None


class Kept(Enum):
    """What stays as it is, where None is a value."""

    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """A change of parts of a profile. All values are valid before the profile is read; an address that is None stays as it is."""

    name: NameChange
    email: EmailAddress | None
    phone: PhoneNumber | Literal[Kept.KEPT] | None

    @classmethod
    def parse(
        cls, first: str | None, last: str | None, email: str | None, phone: str | Literal[Kept.KEPT] | None
    ) -> Result[ProfileChange, InvalidValue]:
        """Parse a change from user input: None stays as it is, but removes a phone number. The error is about the first invalid value."""
        name = NameChange.parse(first, last)
        if isinstance(name, Err):
            return name
        address = Ok(None) if email is None else EmailAddress.parse(email)
        if isinstance(address, Err):
            return address
        number = PhoneNumber.parse(phone) if isinstance(phone, str) else Ok(phone)
        return number if isinstance(number, Err) else Ok(cls(name.value, address.value, number.value))

    def applied_to(self, profile: Profile) -> Profile:
        """Return the changed profile."""
        phone = profile.phone if self.phone is Kept.KEPT else self.phone
        return Profile(self.name.applied_to(profile.name), self.email or profile.email, phone)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to register, who has no id yet."""

    profile: Profile
    password: PasswordHash

    def registered(self, user_id: UserId, at: datetime) -> User:
        """Return the registered user, which raises `UserRegistered`."""
        return User(user_id, self.profile, self.password, created_at=at, updated_at=at, version=1, events=(UserRegistered(user_id),))


@dataclass(frozen=True, slots=True)
class User(Aggregate):
    """A registered user. `updated_at` is the last change of profile, password or role, which also raises `version`.

    Sessions belong to a generation, and those of another one than `session_generation` have ended. The repository chooses the next one:
    later than the current one, and never one that was lost in a failover, whose sessions remain in their store.
    """

    id: UserId
    profile: Profile
    password: PasswordHash
    created_at: datetime
    updated_at: datetime
    version: int
    role: Role = Role.CUSTOMER
    session_generation: int = 1

    def expect_version(self, versions: Versions) -> Result[User, ChangedMeanwhile]:
        """Return the user if its version is one of these, or if any version will do (None)."""
        return Ok(self) if versions is None or self.version in versions else Err(ChangedMeanwhile("user", self.id))

    def update_profile(self, profile: Profile) -> User:
        """Return the user with another profile, which raises `UserProfileUpdated`."""
        return replace(self, profile=profile, events=(*self.events, UserProfileUpdated(self.id)))

    def change_password(self, password: PasswordHash) -> User:
        """Return the user with another password, which ends all sessions when it is saved, and raises `UserPasswordChanged`."""
        return replace(self, password=password, events=(*self.events, UserPasswordChanged(self.id)))

    def rehash_password(self, password: PasswordHash) -> User:
        """Return the user with a new hash of the same password, which is no event."""
        return replace(self, password=password)

    def grant(self, role: Role) -> User:
        """Return the user with this role, which raises `UserRoleChanged` unless the user has it already."""
        if role is self.role:
            return self
        return replace(self, role=role, events=(*self.events, UserRoleChanged(self.id, role.value)))

    def delete(self) -> User:
        """Return the user to be deleted, which raises `UserDeleted`."""
        return replace(self, events=(*self.events, UserDeleted(self.id)))


@dataclass(frozen=True, slots=True)
class UserNotFound:
    """No user has this id or address."""

    key: UserId | EmailAddress

    def __str__(self) -> str:
        return f"there is no user {self.key}"


@dataclass(frozen=True, slots=True)
class EmailTaken:
    """Another user has this address, in any case."""

    email: EmailAddress

    def __str__(self) -> str:
        return f"the e-mail address {self.email} is taken"


@dataclass(frozen=True, slots=True)
class AddressChanges:
    """How often a user changed the address within a period, and the seconds until the first of these changes is older."""

    number: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class UserHasOrders:
    """The user cannot be deleted: orders are kept."""

    user_id: UserId

    def __str__(self) -> str:
        return f"user {self.user_id} has orders"


class UserRepository(Protocol):
    """Stores users, in its caller's transaction, which remains usable after an `Err`.

    A write collects the events of its user and returns the user without them.
    """

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        ...

    async def add_all(self, new: Sequence[NewUser]) -> Sequence[EmailTaken]:
        """Register many users of different addresses, except those whose address is taken, which are returned."""
        ...

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Return the user with this id."""
        ...

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Return the user with this e-mail address, in any case."""
        ...

    async def address_changes(self, user_id: UserId, within: timedelta) -> AddressChanges:
        """Count the changes of the user's address by the user within a period."""
        ...

    async def save_profile(
        self, user: User, before: Profile | None = None, *, is_own: bool = True
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Write the user's profile, or what differs from the one `before`, and return the user as stored.

        `is_own` is whether the change is one by the user. Writes nothing if `user.version` is not the current version.
        """
        ...

    async def save_password(self, user: User, *, is_rehashed: bool = False) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's password, and end the user's sessions, unless it is a new hash of the same password.

        Writes nothing if `user.version` is not the current version.
        """
        ...

    async def end_sessions(self, user_id: UserId) -> Result[None, UserNotFound]:
        """Begin the next generation of the user's sessions, whatever the one that was read: it is raised without a new version."""
        ...

    async def save_role(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's role. Writes nothing if `user.version` is not the current version."""
        ...

    async def delete(self, user: User) -> Result[None, UserNotFound | UserHasOrders | ChangedMeanwhile]:
        """Delete the user, and what was stored about its logins and requests.

        Writes nothing if `user.version` is not the current version.
        """
        ...

    async def erase(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Erase the user's personal data. Afterwards the user is not found, and its orders are.

        Writes nothing if `user.version` is not the current version.
        """
        ...
