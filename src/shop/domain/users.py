"""Users: the entity, what may go wrong with it, and the repository that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.result import Result
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId


@dataclass(frozen=True, slots=True)
class Profile:
    """What users edit about themselves."""

    name: PersonName
    email: EmailAddress
    phone: PhoneNumber | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user who is about to be registered: all but what the registration gives, which is an id and a time."""

    profile: Profile
    password: PasswordHash


@dataclass(frozen=True, slots=True)
class User:
    """A registered user. Both times have a time zone; `updated_at` is the last change of profile or password; `version` grows with each."""

    id: UserId
    profile: Profile
    password: PasswordHash
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class UserNotFound:
    """No user has this id or this address."""

    key: UserId | EmailAddress

    def __str__(self) -> str:
        return f"there is no user {self.key}"


@dataclass(frozen=True, slots=True)
class EmailTaken:
    """Another user has this address already, in whatever case."""

    email: EmailAddress

    def __str__(self) -> str:
        return f"the e-mail address {self.email} is taken"


@dataclass(frozen=True, slots=True)
class UserHasOrders:
    """The user cannot be deleted: what was sold to whom is kept."""

    user_id: UserId

    def __str__(self) -> str:
        return f"user {self.user_id} has orders"


class UserRepository(Protocol):
    """Keeps users. It takes part in its caller's transaction, which is as usable after an `Err` as before."""

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        ...

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Get a user by id."""
        ...

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Get a user by e-mail address, whatever its case."""
        ...

    async def update_profile(
        self, user_id: UserId, profile: Profile, *, version: int
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Replace a user's profile, and get the user as it is then. Nothing is written where `version` is not the current one."""
        ...

    async def update_password(
        self, user_id: UserId, password: PasswordHash, *, version: int
    ) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Replace a user's password. Nothing is written where `version` is not the current one."""
        ...

    async def delete(self, user_id: UserId) -> Result[None, UserNotFound | UserHasOrders]:
        """Delete a user for good."""
        ...
