"""What a `UserDirectory` promises, kept by PostgreSQL's and by the one in memory."""

from __future__ import annotations

import uuid
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection

from shop.application.read_models import PublicProfile, UserSummary
from shop.application.user_directory import UserDirectory, UserPageKey
from shop.domain.result import Ok
from shop.domain.users import NewUser, Profile, User, UserRepository
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.user_directory import PostgresUserDirectory
from shop_db.users import LIST_USERS

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")


async def register(users: UserRepository, name: str, phone: PhoneNumber | None = None) -> User:
    added = await users.add(NewUser(Profile(PersonName(name, "Example"), EmailAddress(f"{name}@example.org"), phone), HASH))
    assert isinstance(added, Ok)
    return added.value


async def everyone(directory: UserDirectory, size: int) -> list[UserId]:
    after: UserPageKey | None = None
    ids: list[UserId] = []
    for _ in range(10):
        page = await directory.page(size, after)
        ids += [user.id for user in page.users]
        after = page.following
        if after is None:
            return ids
        assert len(page.users) == size
    pytest.fail("the listing does not end")


async def test_public_profiles_are_of_the_users_asked_for_and_unknown_ids_are_missing(
    users: UserRepository, directory: UserDirectory
) -> None:
    ada, grace, _ = [await register(users, name) for name in ("Ada", "Grace", "Barbara")]
    nobody = UserId(uuid.UUID(int=1))
    assert await directory.public_profiles([grace.id, nobody, ada.id, ada.id]) == {
        ada.id: PublicProfile(id=ada.id, first_name="Ada", last_name="Example"),
        grace.id: PublicProfile(id=grace.id, first_name="Grace", last_name="Example"),
    }


async def test_no_ids_have_no_public_profiles(users: UserRepository, directory: UserDirectory) -> None:
    await register(users, "Ada")
    assert await directory.public_profiles([]) == {}


async def test_a_page_shows_all_of_a_user_but_the_password(users: UserRepository, directory: UserDirectory) -> None:
    ada = await register(users, "Ada", PhoneNumber("+44 20 7946 0018"))
    page = await directory.page(10)
    shown = UserSummary(
        id=ada.id,
        first_name="Ada",
        last_name="Example",
        email="Ada@example.org",
        phone="+44 20 7946 0018",
        created_at=ada.created_at,
        updated_at=ada.updated_at,
        version=1,
    )
    assert (page.users, page.following) == ((shown,), None)


async def test_the_page_of_an_empty_table_is_the_last(directory: UserDirectory) -> None:
    page = await directory.page(1)
    assert (page.users, page.following) == ((), None)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
async def test_pages_of_any_size_show_every_user_once_oldest_first(users: UserRepository, directory: UserDirectory, size: int) -> None:
    registered = [await register(users, f"user{number}") for number in range(5)]
    assert await everyone(directory, size) == [user.id for user in registered]


@pytest.mark.parametrize("index_scans", ["on", "off"])
async def test_users_of_one_moment_are_told_apart_by_id_whatever_the_plan(
    conn: AsyncConnection[Any], pg_users: UserRepository, queries: Queries, index_scans: LiteralString
) -> None:
    directory = PostgresUserDirectory(queries)
    for kind in ("indexscan", "indexonlyscan", "bitmapscan"):
        await conn.execute(f"SET enable_{kind} = {index_scans}")
    async with conn.transaction():
        registered = [await register(pg_users, f"user{number}") for number in range(8)]
    assert len({user.created_at for user in registered}) == 1
    assert await everyone(directory, 2) == sorted(user.id for user in registered)


async def test_a_key_stays_good_when_its_user_is_deleted(users: UserRepository, directory: UserDirectory) -> None:
    first, second, third = [await register(users, f"user{number}") for number in range(3)]
    page = await directory.page(2)
    assert page.following == UserPageKey(second.created_at, second.id)
    await users.delete(first.id)
    await users.delete(second.id)
    assert [user.id for user in (await directory.page(2, page.following)).users] == [third.id]


async def test_a_page_of_no_users_cannot_be_asked_for(directory: UserDirectory) -> None:
    with pytest.raises(ValueError, match="a page has at least one user, not 0"):
        await directory.page(0)


async def test_count_is_the_number_of_users(users: UserRepository, directory: UserDirectory) -> None:
    assert await directory.count() == 0
    await register(users, "Ada")
    grace = await register(users, "Grace")
    assert await directory.count() == 2
    await users.delete(grace.id)
    assert await directory.count() == 1


@pytest.mark.parametrize("plan_cache_mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_is_read_from_the_index_of_its_order(conn: AsyncConnection[Any], plan_cache_mode: LiteralString) -> None:
    await conn.execute(f"SET plan_cache_mode = {plan_cache_mode}")
    await conn.execute("SET enable_sort = off")
    await conn.execute(f"PREPARE page (timestamptz, uuid, bigint) AS {LIST_USERS}")
    cur = await conn.execute("EXPLAIN (COSTS OFF) EXECUTE page (now(), gen_random_uuid(), 10)")
    plan = "\n".join(line for (line,) in await cur.fetchall())
    assert "Index Scan using users_created_at_id_idx" in plan
    assert "Index Cond: (ROW(created_at, id) > " in plan
    assert "Sort" not in plan
