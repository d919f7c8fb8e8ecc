"""The contract of a `UserReadRepository`, for PostgreSQL and in memory."""

from __future__ import annotations

import uuid
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection

from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import PublicProfile, UserSummary
from shop.application.reads.searches import UserFilter, UserSort
from shop.application.reads.users import FoundUsers, UserPageKey, UserReadRepository
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile, Role, User, UserRepository
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber, UserId
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.reads.users import PostgresUserReadRepository
from shop_db import UNSET
from shop_db.users import LIST_USERS, SEARCH_USERS

from .ports import Ports

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")


async def register(users: UserRepository, name: str, phone: PhoneNumber | None = None) -> User:
    added = await users.add(NewUser(Profile(PersonName(name, "Example"), EmailAddress(f"{name}@example.org"), phone), HASH))
    assert isinstance(added, Ok)
    return added.value


async def everyone(user_reads: UserReadRepository, size: int) -> list[UserId]:
    after: UserPageKey | None = None
    ids: list[UserId] = []
    for _ in range(10):
        page = await user_reads.page(size, after)
        ids += [user.id for user in page.users]
        after = page.following
        if after is None:
            return ids
        assert len(page.users) == size
    pytest.fail("the listing does not end")


async def test_public_profiles_are_returned_without_unknown_ids(users: UserRepository, user_reads: UserReadRepository) -> None:
    ada, grace, _ = [await register(users, name) for name in ("Ada", "Grace", "Barbara")]
    unknown = UserId(uuid.UUID(int=1))
    assert await user_reads.public_profiles([grace.id, unknown, ada.id, ada.id]) == {
        ada.id: PublicProfile(id=ada.id, first_name="Ada", last_name="Example"),
        grace.id: PublicProfile(id=grace.id, first_name="Grace", last_name="Example"),
    }


async def test_no_ids_have_no_public_profiles(users: UserRepository, user_reads: UserReadRepository) -> None:
    await register(users, "Ada")
    assert await user_reads.public_profiles([]) == {}


async def test_users_are_found_by_a_part_of_name_or_address_in_any_case(users: UserRepository, user_reads: UserReadRepository) -> None:
    ada, adam, grace = [await register(users, name) for name in ("Ada", "Adam", "Grace")]

    async def found(part: str, sort: UserSort = "oldest", cursor: str | None = None, **filters: Any) -> FoundUsers:
        page = await user_reads.find(UserFilter(part, **filters), sort, 2, cursor)
        assert isinstance(page, Ok)
        return page.value

    async def ids(part: str, **options: Any) -> list[UserId]:
        return [user.id for user in (await found(part, **options)).users]

    assert await ids("ADA") == [ada.id, adam.id]
    assert await ids("am@EXAM") == [adam.id]
    assert await ids("a e") == [ada.id]
    assert await ids("a", sort="newest", email="ada") == [adam.id, ada.id]
    assert [await ids(part) for part in ("%", "_da", "\\", "a%m", "' OR true")] == [[]] * 5
    first = await found("a")
    assert [user.id for user in first.users] == [ada.id, adam.id]
    assert await ids("a", cursor=first.following) == [grace.id]


def literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


async def test_the_search_uses_the_trigrams_where_there_are_any_and_needs_none(conn: AsyncConnection[Any], queries: Queries) -> None:
    await conn.execute("""
        INSERT INTO users (first_name, last_name, email, password)
        SELECT md5(number::text), 'Example', number || '@example.org', 'x' FROM generate_series(1, 3000) AS number
    """)
    # As by autovacuum, which the tests' servers have switched off.
    await conn.execute("SELECT gin_clean_pending_list('users_search_idx')")
    await conn.execute("ANALYZE users")
    wanted, reads = UserFilter("299@"), PostgresUserReadRepository(queries)
    page = await reads.find(wanted, "oldest", 2)
    assert isinstance(page, Ok)
    for name, cursor in (("first", None), ("second", page.value.following)):
        sql, values, _ = SEARCH_USERS.choose((2, "299@", UNSET, UNSET, UNSET, UNSET, UNSET), cursor, "oldest")
        await conn.execute(f"PREPARE {name} AS {sql}".encode())
        cur = await conn.execute("SELECT 1")
        for _ in range(6):
            # After the fifth, PostgreSQL keeps to plans for the given text, or the plan for any text uses the index, too.
            cur = await conn.execute(f"EXPLAIN EXECUTE {name} ({', '.join(literal(value) for value in values)})".encode())
        assert "Bitmap Index Scan on users_search_idx" in str(await cur.fetchall())
    await conn.execute("DROP EXTENSION pg_trgm CASCADE")
    page = await reads.find(wanted, "newest", 10)
    assert isinstance(page, Ok)
    assert len(page.value.users) == 3


async def test_a_page_shows_all_data_of_a_user_except_the_password(users: UserRepository, user_reads: UserReadRepository) -> None:
    ada = await register(users, "Ada", PhoneNumber("+44 20 7946 0018"))
    page = await user_reads.page(10)
    shown = UserSummary(
        id=ada.id,
        first_name="Ada",
        last_name="Example",
        email="Ada@example.org",
        phone="+44 20 7946 0018",
        created_at=ada.created_at,
        updated_at=ada.updated_at,
        version=1,
        role=Role.CUSTOMER,
    )
    assert (page.users, page.following) == ((shown,), None)


async def test_the_page_of_an_empty_table_is_the_last(user_reads: UserReadRepository) -> None:
    page = await user_reads.page(1)
    assert (page.users, page.following) == ((), None)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
async def test_pages_of_any_size_contain_every_user_once_oldest_first(
    users: UserRepository, user_reads: UserReadRepository, size: int
) -> None:
    registered = [await register(users, f"user{number}") for number in range(5)]
    assert await everyone(user_reads, size) == [user.id for user in registered]


@pytest.mark.parametrize("index_scans", ["on", "off"])
async def test_users_of_the_same_time_are_sorted_by_id_whatever_the_plan(
    conn: AsyncConnection[Any], pg_users: UserRepository, queries: Queries, index_scans: LiteralString
) -> None:
    user_reads = PostgresUserReadRepository(queries)
    for kind in ("indexscan", "indexonlyscan", "bitmapscan"):
        await conn.execute(f"SET enable_{kind} = {index_scans}")
    async with conn.transaction():
        registered = [await register(pg_users, f"user{number}") for number in range(8)]
    assert len({user.created_at for user in registered}) == 1
    assert await everyone(user_reads, 2) == sorted(user.id for user in registered)


async def test_a_key_remains_valid_when_its_user_is_deleted(users: UserRepository, user_reads: UserReadRepository) -> None:
    first, second, third = [await register(users, f"user{number}") for number in range(3)]
    page = await user_reads.page(2)
    assert page.following == UserPageKey(second.created_at, second.id)
    await users.delete(first)
    await users.delete(second)
    assert [user.id for user in (await user_reads.page(2, page.following)).users] == [third.id]


async def test_the_size_of_a_page_of_users_is_at_least_1(user_reads: UserReadRepository) -> None:
    with pytest.raises(ValueError, match="a page has at least one user, not 0"):
        await user_reads.page(0)


async def test_count_is_the_number_of_users(users: UserRepository, user_reads: UserReadRepository) -> None:
    assert await user_reads.count() == 0
    await register(users, "Ada")
    grace = await register(users, "Grace")
    assert await user_reads.count() == 2
    await users.delete(grace)
    assert await user_reads.count() == 1


@pytest.mark.parametrize("plan_cache_mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_is_read_from_the_index_with_its_sort_order(conn: AsyncConnection[Any], plan_cache_mode: LiteralString) -> None:
    await conn.execute(f"SET plan_cache_mode = {plan_cache_mode}")
    await conn.execute("SET enable_sort = off")
    await conn.execute(f"PREPARE page (timestamptz, uuid, bigint) AS {LIST_USERS}")
    cur = await conn.execute("EXPLAIN (COSTS OFF) EXECUTE page (now(), gen_random_uuid(), 10)")
    plan = "\n".join(line for (line,) in await cur.fetchall())
    assert "Index Scan using users_created_at_id_idx" in plan
    assert "Index Cond: (ROW(created_at, id) > " in plan
    assert "Sort" not in plan


# --- Search ---------------------------------------------------------------------------------------------------------------


async def test_users_are_found_by_all_given_filters(ports: Ports) -> None:
    users: list[User] = []
    for number, last in enumerate(("Lovelace", "Hopper", "Lovett")):
        profile = Profile(PersonName("Ada", last), EmailAddress(f"U{number}@example.org"))
        added = await ports.users.add(NewUser(profile, HASH))
        assert isinstance(added, Ok)
        users.append(added.value)
    assert await ports.users.save_role(users[2].grant(Role.CLERK)) == Ok(None)

    async def found(sort: UserSort = "oldest", **filters: Any) -> list[UserId]:
        page = await ports.reads.users.find(UserFilter(**filters), sort, 10)
        assert isinstance(page, Ok)
        return [user.id for user in page.value.users]

    first, second, third = (user.id for user in users)
    assert await found() == [first, second, third]
    assert await found("newest") == [third, second, first]
    assert await found(last_name="lov") == [first, third]
    assert await found(last_name="lov", roles=(Role.CLERK, Role.ADMIN)) == [third]
    assert await found(email="u1@") == [second]
    # Not a pattern.
    assert await found(last_name="%") == []
    assert await found(registered_since=users[1].created_at) == [second, third]
    assert await found(registered_before=users[1].created_at) == [first]
    page = await ports.reads.users.find(UserFilter(), "oldest", 2)
    assert isinstance(page, Ok)
    assert await ports.reads.users.find(UserFilter(), "newest", 2, page.value.following) == Err(InvalidCursor("found users, newest first"))
