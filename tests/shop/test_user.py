"""The behaviour of the aggregate `User`."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.events import UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile, User
from shop.domain.values import EmailAddress, PasswordHash, PersonName, UserId

ID = UserId(uuid.UUID(int=7))
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
HASH, OTHER_HASH = PasswordHash("$v2$aa"), PasswordHash("$v2$bb")


@pytest.fixture
def user() -> User:
    """A user who was read."""
    return NewUser(ADA, HASH).registered(ID, datetime(2026, 1, 1, tzinfo=UTC)).without_events()


def test_a_registered_user_raises_its_event() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    registered = NewUser(ADA, HASH).registered(ID, at)
    assert registered == User(ID, ADA, HASH, created_at=at, updated_at=at, version=1)
    assert registered.events == (UserRegistered(ID),)


def test_changes_raise_their_events_in_order_and_a_rehash_raises_none(user: User) -> None:
    changed = user.update_profile(GRACE).rehash_password(HASH).change_password(OTHER_HASH).delete()
    assert (changed.profile, changed.password, changed.version) == (GRACE, OTHER_HASH, user.version)
    assert changed.events == (UserProfileUpdated(ID), UserPasswordChanged(ID), UserDeleted(ID))
    assert user.events == changed.without_events().events == ()


def test_a_user_of_another_version_is_changed_meanwhile(user: User) -> None:
    assert user.expect_version({2, 1}) == user.expect_version(None) == Ok(user)
    assert user.expect_version({2, 3}) == user.expect_version(()) == Err(ChangedMeanwhile("user", ID))
