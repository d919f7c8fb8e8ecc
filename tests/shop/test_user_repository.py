"""What a `UserRepository` promises, kept by PostgreSQL's."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId
from shop.infrastructure.postgres.mapping import UnreadableRow
from shop.infrastructure.postgres.user_repository import PostgresUserRepository

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
OTHER_HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b3RoZXI")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("Ada@Example.org"), PhoneNumber("+44 20 7946 0018"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
NOBODY = UserId(uuid.UUID(int=1))


def ok(result: Result[User, object]) -> User:
    assert isinstance(result, Ok), result
    return result.value


async def test_an_added_user_has_what_was_given_an_id_and_the_time(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    assert (user.profile, user.profile.email.text, user.password) == (ADA, "Ada@Example.org", HASH)
    assert user.id.version == 4
    assert user.created_at == user.updated_at
    assert user.created_at.tzinfo is not None


async def test_a_user_without_a_phone_has_none(users: UserRepository) -> None:
    assert ok(await users.add(NewUser(GRACE, HASH))).profile.phone is None


async def test_names_come_back_as_given_whatever_their_script(users: UserRepository) -> None:
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


async def test_a_user_is_found_by_id(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.get(user.id) == Ok(user)


@pytest.mark.parametrize("spelling", ["Ada@Example.org", "ada@example.org", "ADA@EXAMPLE.ORG"])
async def test_a_user_is_found_by_email_whatever_its_case(users: UserRepository, spelling: str) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.get_by_email(EmailAddress(spelling)) == Ok(user)


async def test_a_wildcard_in_an_address_matches_nothing_but_itself(users: UserRepository) -> None:
    ok(await users.add(NewUser(ADA, HASH)))
    pattern = EmailAddress("%@example.org")
    assert await users.get_by_email(pattern) == Err(UserNotFound(pattern))


async def test_an_unknown_id_is_user_not_found_to_every_method(users: UserRepository) -> None:
    ok(await users.add(NewUser(GRACE, HASH)))
    results = [
        await users.get(NOBODY),
        await users.update_profile(NOBODY, ADA),
        await users.update_password(NOBODY, HASH),
        await users.delete(NOBODY),
    ]
    assert results == [Err(UserNotFound(NOBODY))] * 4


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
    assert await users.update_profile(grace.id, Profile(GRACE.name, ADA.email)) == Err(EmailTaken(ADA.email))
    assert await users.get(grace.id) == Ok(grace)


async def test_after_an_email_was_taken_the_transaction_goes_on_and_commits(
    conn: AsyncConnection[Any], users: UserRepository, database_url: str
) -> None:
    ok(await users.add(NewUser(ADA, HASH)))
    async with conn.transaction():
        assert isinstance(await users.add(NewUser(ADA, HASH)), Err)
        grace = ok(await users.add(NewUser(GRACE, HASH)))
        assert isinstance(await users.update_profile(grace.id, ADA), Err)
        assert conn.info.transaction_status is TransactionStatus.INTRANS
    async with await AsyncConnection.connect(database_url, autocommit=True) as other:
        assert await PostgresUserRepository(other).get(grace.id) == Ok(grace)


async def test_a_write_is_undone_with_the_transaction_of_its_caller(conn: AsyncConnection[Any], users: UserRepository) -> None:
    async with conn.transaction(force_rollback=True):
        ok(await users.add(NewUser(ADA, HASH)))
    assert await users.get_by_email(ADA.email) == Err(UserNotFound(ADA.email))


async def test_of_two_transactions_that_register_one_address_the_later_waits_and_is_refused(
    conn: AsyncConnection[Any], users: UserRepository, database_url: str
) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as rival:
        async with conn.transaction():
            ok(await users.add(NewUser(ADA, HASH)))
            blocked = asyncio.create_task(PostgresUserRepository(rival).add(NewUser(ADA, HASH)))
            await _until_waiting(conn, rival.info.backend_pid)
        assert await blocked == Err(EmailTaken(ADA.email))


async def _until_waiting(conn: AsyncConnection[Any], backend_pid: int) -> None:
    async with asyncio.timeout(30):
        while True:
            cur = await conn.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend_pid])
            if await cur.fetchone() == (True,):
                return


async def test_a_user_may_write_the_own_address_in_another_case(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    updated = ok(await users.update_profile(user.id, Profile(ADA.name, EmailAddress("ada@example.org"))))
    assert updated.profile.email.text == "ada@example.org"


async def test_updating_a_profile_changes_the_profile_and_the_update_time_alone(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    bystander = ok(await users.add(NewUser(Profile(GRACE.name, EmailAddress("bystander@example.org")), HASH)))
    updated = ok(await users.update_profile(user.id, GRACE))
    assert updated == User(user.id, GRACE, HASH, user.created_at, updated.updated_at)
    assert updated.updated_at > user.updated_at
    assert await users.get(user.id) == Ok(updated)
    assert await users.get(bystander.id) == Ok(bystander)


async def test_updating_a_password_changes_the_password_and_the_update_time_alone(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    bystander = ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.update_password(user.id, OTHER_HASH) == Ok(None)
    updated = ok(await users.get(user.id))
    assert updated == User(user.id, user.profile, OTHER_HASH, user.created_at, updated.updated_at)
    assert updated.updated_at > user.updated_at
    assert await users.get(bystander.id) == Ok(bystander)


async def test_deleting_removes_one_user_and_frees_the_address(users: UserRepository) -> None:
    user = ok(await users.add(NewUser(ADA, HASH)))
    grace = ok(await users.add(NewUser(GRACE, HASH)))
    assert await users.delete(user.id) == Ok(None)
    assert await users.get(user.id) == Err(UserNotFound(user.id))
    assert await users.get(grace.id) == Ok(grace)
    assert ok(await users.add(NewUser(ADA, HASH))).id != user.id


async def test_a_row_that_the_domain_refuses_is_reported_with_its_id_and_the_rule(
    conn: AsyncConnection[Any], users: UserRepository
) -> None:
    cur = await conn.execute(
        "INSERT INTO users (first_name, last_name, email, password) VALUES ('A', 'B', 'not an address', '$a$b') RETURNING id"
    )
    row = await cur.fetchone()
    assert row is not None
    with pytest.raises(UnreadableRow, match=f"^users row {row[0]}: e-mail address is not of the form"):
        await users.get(UserId(row[0]))


async def test_a_violation_of_another_unique_constraint_is_not_taken_for_the_address(
    conn: AsyncConnection[Any], users: UserRepository
) -> None:
    await conn.execute("CREATE UNIQUE INDEX users_last_name_key ON users (last_name)")
    ok(await users.add(NewUser(ADA, HASH)))
    with pytest.raises(psycopg.errors.UniqueViolation, match="users_last_name_key"):
        await users.add(NewUser(Profile(ADA.name, GRACE.email), HASH))


async def test_an_error_that_no_caller_expects_is_not_swallowed(conn: AsyncConnection[Any], users: UserRepository) -> None:
    await conn.execute("ALTER TABLE users ADD CONSTRAINT no_ada CHECK (first_name <> 'Ada')")
    with pytest.raises(psycopg.errors.CheckViolation, match="no_ada"):
        await users.add(NewUser(ADA, HASH))
