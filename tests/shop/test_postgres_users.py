"""PostgreSQL only: transactions, locks and constraints beneath the user repository."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId
from shop.infrastructure.postgres.mapping import UnreadableRow
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
OTHER_HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b3RoZXI")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("Ada@Example.org"), PhoneNumber("+44 20 7946 0018"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
UNKNOWN = UserId(uuid.UUID(int=1))


def ok(result: Result[User, object]) -> User:
    assert isinstance(result, Ok), result
    return result.value


async def test_after_a_taken_address_the_transaction_continues_and_commits(
    conn: AsyncConnection[Any], pg_users: UserRepository, database_url: str
) -> None:
    ok(await pg_users.add(NewUser(ADA, HASH)))
    async with conn.transaction():
        assert isinstance(await pg_users.add(NewUser(ADA, HASH)), Err)
        grace = ok(await pg_users.add(NewUser(GRACE, HASH)))
        assert isinstance(await pg_users.save_profile(replace(grace, profile=ADA)), Err)
        assert conn.info.transaction_status is TransactionStatus.INTRANS
    async with await AsyncConnection.connect(database_url, autocommit=True) as other:
        assert await PostgresUserRepository(Queries(other), CollectedEvents()).get(grace.id) == Ok(grace)


async def test_only_the_changed_parts_of_a_profile_are_written(conn: AsyncConnection[Any], pg_users: UserRepository) -> None:
    ada = ok(await pg_users.add(NewUser(ADA, HASH)))
    await conn.execute("UPDATE users SET first_name = 'Augusta', phone = '+44 1'")
    married = replace(ADA, name=PersonName("Ada", "King"), phone=None)
    written = ok(await pg_users.save_profile(ada.update_profile(married), before=ada.profile))
    assert (written.profile.name, written.profile.phone, written.version) == (PersonName("Augusta", "King"), None, 2)
    # Nothing has changed: a new version with the whole profile.
    again = ok(await pg_users.save_profile(replace(written, profile=married), before=married))
    assert (again.profile, again.version) == (married, 3)


async def test_a_write_is_undone_with_the_transaction_of_its_caller(conn: AsyncConnection[Any], pg_users: UserRepository) -> None:
    async with conn.transaction(force_rollback=True):
        ok(await pg_users.add(NewUser(ADA, HASH)))
    assert await pg_users.get_by_email(ADA.email) == Err(UserNotFound(ADA.email))


async def test_a_second_registration_of_an_address_waits_for_the_first_and_is_refused(
    conn: AsyncConnection[Any], pg_users: UserRepository, database_url: str
) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as rival:
        async with conn.transaction():
            ok(await pg_users.add(NewUser(ADA, HASH)))
            blocked = asyncio.create_task(PostgresUserRepository(Queries(rival), CollectedEvents()).add(NewUser(ADA, HASH)))
            await _until_waiting(conn, rival.info.backend_pid)
        assert await blocked == Err(EmailTaken(ADA.email))


async def _until_waiting(conn: AsyncConnection[Any], backend_pid: int) -> None:
    async with asyncio.timeout(300):
        while True:
            cur = await conn.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend_pid])
            if await cur.fetchone() == (True,):
                return


async def test_a_row_that_violates_the_domain_is_reported_with_its_id_and_the_rule(
    conn: AsyncConnection[Any], pg_users: UserRepository
) -> None:
    cur = await conn.execute(
        "INSERT INTO users (first_name, last_name, email, password) VALUES ('A', 'B', 'not an address', '$a$b') RETURNING id"
    )
    row = await cur.fetchone()
    assert row is not None
    with pytest.raises(UnreadableRow, match=f"^users row {row[0]}: e-mail address is not of the form"):
        await pg_users.get(UserId(row[0]))


async def test_a_violation_of_another_unique_constraint_is_not_mistaken_for_the_address(
    conn: AsyncConnection[Any], pg_users: UserRepository
) -> None:
    await conn.execute("CREATE UNIQUE INDEX users_last_name_key ON users (last_name)")
    ok(await pg_users.add(NewUser(ADA, HASH)))
    with pytest.raises(psycopg.errors.UniqueViolation, match="users_last_name_key"):
        await pg_users.add(NewUser(Profile(ADA.name, GRACE.email), HASH))


async def test_an_unexpected_error_is_not_suppressed(conn: AsyncConnection[Any], pg_users: UserRepository) -> None:
    await conn.execute("ALTER TABLE users ADD CONSTRAINT no_ada CHECK (first_name <> 'Ada')")
    with pytest.raises(psycopg.errors.CheckViolation, match="no_ada"):
        await pg_users.add(NewUser(ADA, HASH))
