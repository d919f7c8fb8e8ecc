"""The erasure of a user: orders stay, and no personal data remain in any table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context, Once
from shop.application.reads.query_service import QueryService
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile, Role, User, UserNotFound
from shop.domain.values import EmailAddress, Password, PersonName, PhoneNumber, UserId
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.reads.repositories import read_repositories
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

ADDRESS = "192.0.2.77"
ANYONE = Context(Actor.anonymous(), f"http {ADDRESS} zebulon-browser/1")
ADMIN = Context(Actor.admin("root"), "cli host")
EMAIL = EmailAddress("Zebulon.Q+1@example.org")
PROFILE = Profile(PersonName("Zebulon", "Quuxley"), EMAIL, PhoneNumber("+1 555 0177"))
LINE = OrderLine("BOOK-1", "A book", 1, Money(1, Currency.EUR))
PERSONAL = ("zebulon", "quuxley", "555 0177", "correct horse", ADDRESS)


def stored(user: User) -> bytes:
    return f'{{"id": "{user.id}", "email": "{user.profile.email}", "last_name": "{user.profile.name.last}"}}'.encode()


async def found(conn: Connection, needles: Sequence[str]) -> list[tuple[str, str]]:
    """Return the tables and the texts that occur in any of their columns, binary ones included."""
    cur = await conn.execute("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    tables = [name for (name,) in await cur.fetchall()]
    assert len(tables) >= 10
    places = list[tuple[str, str]]()
    for table in tables:
        query = sql.SQL("SELECT lower(each::text) FROM {} AS each").format(sql.Identifier(table))
        for (text,) in await (await conn.execute(query)).fetchall():
            # A column of bytes is written as hexadecimal digits.
            places += [(table, needle) for needle in needles if needle in text]
            places += [(table, needle) for needle in ("Zebulon", "Quuxley") if needle.encode().hex() in text]
    return places


async def live(pool: Pool, hasher: PasswordHasher, conn: Connection) -> UserId:
    """Let a user leave traces wherever the service has any, and return the id."""
    users = UserCommands(Transactions(units_of_work(pool)), hasher)
    once = Once("1", b"1", stored)
    added = await users.register(Context(ANYONE.actor, ANYONE.origin, once=once), PROFILE, Password("correct horse"))
    assert isinstance(added, Ok)
    user = added.value
    own = Context(Actor.user(user.id), f"http {ADDRESS}", once=Once("2", b"2", stored))
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "correct horse"), Ok)
    assert isinstance(await users.authenticate(ANYONE, EmailAddress(EMAIL.text.lower()), "wrong"), Err)
    assert isinstance(await users.update_profile(own, user.id, PROFILE), Ok)
    orders = OrderCommands(Transactions(units_of_work(pool)))
    assert isinstance(await orders.place(Context(own.actor, own.origin), NewOrder(user.id, (LINE,))), Ok)
    await conn.execute(
        """
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        SELECT 'sales', message_id, event_type, 1, 'cannot handle ' || aggregate, now(), to_jsonb(outbox) FROM outbox
        WHERE event_type = 'AuthenticationFailed'
        """
    )
    return user.id


async def test_no_personal_data_remain_in_any_table(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    before = {table for table, _ in await found(conn, PERSONAL)}
    assert before == {"users", "login_attempts", "outbox", "inbox", "answers", "audit_log_first"}
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    own = Context(Actor.user(user_id, Role.CUSTOMER), f"http {ADDRESS}")
    assert await users.erase(own, user_id) == Ok(None)
    assert await found(conn, PERSONAL) == []
    # What happened is still known, and so are the forms of the events.
    cur = await conn.execute("SELECT action, outcome::text FROM audit_log WHERE subject = %s ORDER BY id", [f"user:{user_id}"])
    actions = [("user.register", "done"), ("user.authenticate", "done"), ("user.update_profile", "done"), ("user.erase", "done")]
    assert await cur.fetchall() == actions
    erased = f"{user_id}@erased.invalid"
    cur = await conn.execute(
        "SELECT aggregate, payload::text LIKE %s FROM outbox WHERE event_type = 'AuthenticationFailed'", [f"%{erased}%"]
    )
    assert await cur.fetchall() == [(f"login:{erased}", True)] * 2
    cur = await conn.execute("SELECT event_type FROM outbox WHERE aggregate = %s ORDER BY position DESC LIMIT 1", [f"user:{user_id}"])
    assert await cur.fetchone() == ("UserDeleted",)


async def test_for_the_service_an_erased_user_is_deleted_and_the_orders_stay(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    orders = OrderCommands(Transactions(units_of_work(pool)))
    reads = QueryService(read_repositories(pool))
    assert await users.erase(ADMIN, user_id) == Ok(None)
    gone = Err(UserNotFound(user_id))
    assert await users.erase(ADMIN, user_id) == gone
    assert await users.delete(ADMIN, user_id) == gone
    assert await users.update_profile(ADMIN, user_id, PROFILE) == gone
    assert await users.grant(ADMIN, user_id, Role.ADMIN) == gone
    assert await orders.place(ADMIN, NewOrder(user_id, (LINE,))) == gone
    assert (await reads.user(user_id), await reads.public_profile(user_id), await reads.standing(user_id)) == (gone, gone, Ok(None))
    assert await reads.count_users() == Ok(0)
    page = await reads.users(10)
    assert isinstance(page, Ok)
    assert page.value.items == ()
    history = await reads.order_history(user_id, 10)
    assert isinstance(history, Ok)
    assert len(history.value.items) == 1
    # The address is free again.
    assert isinstance(await users.register(ANYONE, PROFILE, Password("correct horse")), Ok)


async def test_a_deletion_leaves_no_traces_either(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    added = await users.register(ANYONE, PROFILE, Password("correct horse"))
    assert isinstance(added, Ok)
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert await users.delete(ADMIN, added.value.id) == Ok(None)
    assert await found(conn, PERSONAL) == []


@pytest.mark.parametrize("way", ["erase", "delete"])
async def test_who_is_changed_meanwhile_is_erased_as_changed_or_if_a_version_was_named_not_at_all(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher, way: str
) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    added = await users.register(ANYONE, Profile(PROFILE.name, EmailAddress("before@example.org")), Password("correct horse"))
    assert isinstance(added, Ok)
    user_id = added.value.id
    call = users.erase if way == "erase" else users.delete

    async def meanwhile(version: int | None) -> Result[None, object]:
        """Change the user after the use case has read it."""
        async with conn.transaction():
            await conn.execute("UPDATE users SET email = %s, version = version + 1 WHERE id = %s", [EMAIL.text, user_id])
            going = asyncio.create_task(call(ADMIN, user_id, version))
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            while (await (await conn.execute(blocked)).fetchone()) == (0,):
                assert not going.done()
        return await going

    assert await meanwhile(1) == Err(ChangedMeanwhile("user", user_id))
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert await meanwhile(None) == Ok(None)
    assert await found(conn, PERSONAL) == []


@pytest.mark.parametrize(
    "change", ["origin = 'elsewhere'", "origin = 'erased', actor = 'anonymous'", "origin = 'erased', at = now() + interval '1 day'"]
)
async def test_nothing_but_the_origin_of_an_entry_can_be_erased(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher, change: str
) -> None:
    await live(pool, cheap_hasher, conn)
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        await conn.execute(f"UPDATE audit_log SET {change} WHERE actor <> 'anonymous'".encode())


async def test_an_erased_user_holds_nothing(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    await UserCommands(Transactions(units_of_work(pool)), cheap_hasher).erase(ADMIN, user_id)
    for change in ("phone = '1'", "last_name = 'Quuxley'", "email = 'z@example.org'", "password = 'x'", "role = 'admin'"):
        with pytest.raises(CheckViolation):
            await conn.execute(f"UPDATE users SET {change}".encode())
