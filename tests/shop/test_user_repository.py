"""The contract of a `UserRepository`, for PostgreSQL and in memory."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from shop.application.transactions.unit_of_work import BeginUnitOfWork
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, Role, User, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId

from .ports import Repositories

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
OTHER_HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b3RoZXI")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("Ada@Example.org"), PhoneNumber("+44 20 7946 0018"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
UNKNOWN = UserId(uuid.UUID(int=1))


def ok(result: Result[User, object]) -> User:
    assert isinstance(result, Ok), result
    return result.value


async def test_an_added_user_has_an_id_and_times(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    assert (user.profile, user.profile.email.text, user.password) == (ADA, "Ada@Example.org", HASH)
    assert user.id.version == 4
    assert user.created_at == user.updated_at
    assert user.created_at.tzinfo is not None


async def test_a_user_without_a_phone_has_none(users: UserRepository) -> None:
    assert ok(await users.add(NewUser(GRACE, HASH))).profile.phone is None


async def test_names_of_any_script_are_returned_unchanged(users: UserRepository) -> None:
    name = PersonName("Zoë 🜁 محمد‌رضا", "O'Brien; DROP TABLE users --%s $1")
    user = ok(await users.add(NewUser(Profile(name, GRACE.email), HASH)))
    assert ok(await users.get(user.id)).profile.name == name


async def test_the_longest_values_of_the_domain_fit_into_the_columns(users: UserRepository) -> None:
    longest = Profile(
        PersonName("é" * 100, "🜁" * 100),
        EmailAddress("a" * 32 + "@" + ".".join(["h" * 33] * 2)),
        PhoneNumber("+1 " + "2 3" * 4 + " 4567"),
    )
    assert [len(str(value)) for value in (longest.email, longest.phone)] == [100, 20]
    new = NewUser(longest, PasswordHash("$argon2id$" + "x" * 245))
    assert ok(await users.get(ok(await users.add(new)).id)).profile == longest


async def test_a_user_is_returned_by_id(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.get(user.id) == Ok(user)


@pytest.mark.parametrize("spelling", ["Ada@Example.org", "ada@example.org", "ADA@EXAMPLE.ORG"])
async def test_a_user_is_returned_by_email_in_any_case(users: UserRepository, spelling: str) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.get_by_email(EmailAddress(spelling)) == Ok(user)


async def test_a_wildcard_in_an_address_matches_nothing_but_itself(users: UserRepository) -> None:
    ok(await users.add(NewUser(ADA, HASH)))
    pattern = EmailAddress("%@example.org")
    assert await users.get_by_email(pattern) == Err(UserNotFound(pattern))


async def test_an_unknown_id_is_user_not_found_in_every_method(users: UserRepository) -> None:
    unknown = replace(ok(await users.add(NewUser(GRACE, HASH))), id=UNKNOWN)
    results = [
        await users.get(UNKNOWN),
        await users.save_profile(unknown),
        await users.save_password(unknown),
        await users.delete(unknown),
    ]
    assert results == [Err(UserNotFound(UNKNOWN))] * 4


async def test_an_unknown_address_is_user_not_found(users: UserRepository) -> None:
    assert await users.get_by_email(ADA.email) == Err(UserNotFound(ADA.email))


async def test_a_second_user_with_an_address_in_another_case_is_email_taken(users: UserRepository) -> None:
    ok(await users.add(NewUser(ADA, HASH)))
    shouted = EmailAddress("ADA@EXAMPLE.ORG")
    result = await users.add(NewUser(Profile(GRACE.name, shouted), HASH))
    assert result == Err(EmailTaken(shouted))


async def test_a_profile_that_takes_the_address_of_another_is_email_taken_and_changes_nothing(users: UserRepository) -> None:
    ok(await users.add(NewUser(ADA, HASH)))
    grace = ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.save_profile(replace(grace, profile=Profile(GRACE.name, ADA.email))) == Err(EmailTaken(ADA.email))
    assert await users.get(grace.id) == Ok(grace)


async def test_a_user_may_change_the_case_of_the_address(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    updated = ok(await users.save_profile(replace(user, profile=Profile(ADA.name, EmailAddress("ada@example.org")))))
    assert updated.profile.email.text == "ada@example.org"


async def test_saving_a_profile_changes_only_profile_update_time_and_version(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    bystander = ok(await users.add(NewUser(Profile(GRACE.name, EmailAddress("bystander@example.org")), HASH)))
    updated = ok(await users.save_profile(replace(user, profile=GRACE)))
    assert updated == User(user.id, GRACE, HASH, user.created_at, updated.updated_at, user.version + 1)
    assert updated.updated_at > user.updated_at
    assert await users.get(user.id) == Ok(updated)
    assert await users.get(bystander.id) == Ok(bystander)


async def test_saving_a_password_changes_only_password_update_time_version_and_generation(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    bystander = ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.save_password(user.change_password(OTHER_HASH)) == Ok(None)
    updated = ok(await users.get(user.id))
    expected = User(user.id, user.profile, OTHER_HASH, user.created_at, updated.updated_at, user.version + 1)
    assert replace(updated, session_generation=user.session_generation) == expected
    assert updated.session_generation > user.session_generation
    assert updated.updated_at > user.updated_at
    assert await users.get(bystander.id) == Ok(bystander)


TRANSITIONS: dict[str, Callable[[User], User]] = {
    "save_profile": lambda user: user.update_profile(GRACE),
    "save_password": lambda user: user.change_password(OTHER_HASH),
    "save_role": lambda user: user.grant(Role.CLERK),
    "delete": User.delete,
    "erase": User.delete,
}


async def test_every_method_that_writes_a_user_collects_its_events(begin: BeginUnitOfWork[Repositories]) -> None:
    writing = {
        name for name, method in inspect.getmembers(UserRepository, inspect.isfunction) if "user" in inspect.signature(method).parameters
    }
    assert writing == set(TRANSITIONS)
    for name, change in TRANSITIONS.items():
        async with begin() as uow:
            added = await uow.repositories.users.add(NewUser(ADA, HASH))
            assert isinstance(added, Ok)
            changed = change(added.value)
            assert changed.events
            saved = await getattr(uow.repositories.users, name)(changed)
            assert isinstance(saved, Ok)
            assert tuple(uow.events)[1:] == changed.events, name


async def test_deleting_removes_one_user_and_frees_the_address(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    grace = ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.delete(user) == Ok(None)
    assert await users.get(user.id) == Err(UserNotFound(user.id))
    assert await users.get(grace.id) == Ok(grace)
    assert ok(await users.add(NewUser(ADA, HASH))).id != user.id


async def test_only_the_current_version_of_a_user_is_deleted_or_erased(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    changed = ok(await users.save_profile(replace(user, profile=GRACE)))
    for write in (users.delete, users.erase):
        assert await write(user.delete()) == Err(ChangedMeanwhile("user", user.id))
        assert await users.get(user.id) == Ok(changed)
    assert await users.erase(changed) == Ok(None)
    assert [await write(changed) for write in (users.delete, users.erase)] == [Err(UserNotFound(user.id))] * 2


async def test_a_generation_of_sessions_ends_with_a_password_or_alone_but_not_with_a_new_hash(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    assert await users.save_password(user.rehash_password(OTHER_HASH), is_rehashed=True) == Ok(None)
    rehashed = ok(await users.get(user.id))
    assert (rehashed.session_generation, rehashed.version) == (1, 2)
    # Not a version: what the user sees does not change, and a change that was based on it is still allowed.
    assert await users.end_sessions(user.id) == Ok(None)
    ended = ok(await users.get(user.id))
    assert await users.save_password(rehashed.change_password(HASH)) == Ok(None)
    changed = ok(await users.get(user.id))
    assert rehashed.session_generation < ended.session_generation < changed.session_generation
    assert (ended.version, changed.version) == (2, 3)
    unknown = UserId(uuid.uuid4())
    assert await users.end_sessions(unknown) == Err(UserNotFound(unknown))
