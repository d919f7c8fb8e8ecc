"""The erasure of a user: orders stay, and no personal data remain in any table."""

from __future__ import annotations

import asyncio
import html
import json
import quopri
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.pruning import MessagePruning, Pruned, Pruning
from shop.application.commands.users import UserCommands, WrongCredentials
from shop.application.context import Actor, Context, Once
from shop.application.messaging.messages import read_message
from shop.application.reads.query_service import QueryService
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile, Role, User, UserNotFound
from shop.domain.values import EmailAddress, Password, PersonName, PhoneNumber, UserId
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.reads.repositories import read_repositories
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

from .ports import session_commands

ADDRESS = "192.0.2.77"
ANYONE = Context(Actor.anonymous(), f"http {ADDRESS} zebulon-browser/1")
ADMIN = Context(Actor.admin("root"), "cli host")
EMAIL, FORMER = EmailAddress("Zebulon.Q+1@example.org"), EmailAddress("Zebulon@example.com")
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
    # Before there is a user to count it for.
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    once = Once("1", b"1", stored)
    added = await users.register(Context(ANYONE.actor, ANYONE.origin, once=once), PROFILE, Password("correct horse"))
    assert isinstance(added, Ok)
    user = added.value
    own = Context(Actor.user(user.id), f"http {ADDRESS}", once=Once("2", b"2", stored))
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "correct horse"), Ok)
    assert isinstance(await users.authenticate(ANYONE, EmailAddress(EMAIL.text.lower()), "wrong"), Err)
    assert isinstance(await users.update_profile(own, user.id, PROFILE), Ok)
    # What is under a previous address is found, too.
    moved = replace(PROFILE, email=FORMER)
    assert isinstance(await users.update_profile(Context(own.actor, own.origin), user.id, moved), Ok)
    assert isinstance(await users.register(ANYONE, moved, Password("correct horse")), Err)
    assert isinstance(await users.authenticate(ANYONE, FORMER, "wrong"), Err)
    assert isinstance(await users.update_profile(Context(own.actor, own.origin), user.id, PROFILE), Ok)
    assert isinstance(await users.authenticate(ANYONE, FORMER, "wrong"), Err)
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
    assert before == {"users", "former_addresses", "login_attempts", "outbox", "inbox", "answers", "audit_log_first"}
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    own = Context(Actor.user(user_id, Role.CUSTOMER), f"http {ADDRESS}")
    assert await users.erase(own, user_id) == Ok(None)
    assert await found(conn, PERSONAL) == []
    # What happened is still known, and so are the forms of the events.
    cur = await conn.execute("SELECT action, outcome::text FROM audit_log WHERE subject = %s ORDER BY id", [f"user:{user_id}"])
    attempts = [("user.authenticate", outcome) for outcome in ("refused", "done", "refused")]
    changes = [("user.update_profile", "done"), ("user.update_profile", "done"), attempts[-1], ("user.update_profile", "done")]
    actions = [("user.register", "done"), *attempts, *changes, ("user.erase", "done")]
    assert await cur.fetchall() == actions
    erased = f"{user_id}@erased.invalid"
    cur = await conn.execute(
        "SELECT aggregate, payload::text LIKE %s FROM outbox WHERE event_type = 'AuthenticationFailed'", [f"%{erased}%"]
    )
    assert await cur.fetchall() == [(f"login:{erased}", True)] * 5
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
    assert await users.end_sessions(ADMIN, user_id) == gone
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

    async def meanwhile(versions: Versions) -> Result[None, object]:
        """Change the user after the use case has read it."""
        async with conn.transaction():
            await conn.execute("UPDATE users SET email = %s, version = version + 1 WHERE id = %s", [EMAIL.text, user_id])
            going = asyncio.create_task(call(ADMIN, user_id, versions))
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            while (await (await conn.execute(blocked)).fetchone()) == (0,):
                assert not going.done()
        return await going

    assert await meanwhile({1}) == Err(ChangedMeanwhile("user", user_id))
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


async def test_a_refused_deletion_is_recorded_with_its_origin(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    own = Context(Actor.user(user_id), f"http {ADDRESS} thief")
    assert isinstance(await users.delete(own, user_id), Err)
    assert isinstance(await users.delete(own, user_id, versions={77}), Err)
    cur = await conn.execute("SELECT metadata ->> 'reason', origin FROM audit_log WHERE action = 'user.delete' ORDER BY id")
    assert await cur.fetchall() == [("UserHasOrders", own.origin), ("ChangedMeanwhile", own.origin)]


# --- Others -------------------------------------------------------------------------------------------------------------

LIVE = """
    WITH lived AS (
        INSERT INTO users (first_name, last_name, email, password) VALUES ('A', 'B', %(email)s, 'x') RETURNING id
    ), failed AS (
        INSERT INTO outbox (aggregate, event_type, event_version, payload, trace_id)
        VALUES ('login:' || lower(%(email)s), 'AuthenticationFailed', 2, jsonb_build_object('email', %(email)s::text), '')
        RETURNING *
    ), dead AS (
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        SELECT 'sales', message_id, event_type, 1, 'cannot handle ' || aggregate, now(), to_jsonb(failed) FROM failed
    ), attempted AS (
        INSERT INTO login_attempts (login, attempts) SELECT name, 1 FROM lived, unnest(ARRAY[lower(%(email)s), 'user:' || id]) AS name
    ), answered AS (
        INSERT INTO answers (scope, key, subject, fingerprint, answer)
        SELECT scope, %(email)s, 'user:' || id, '', convert_to(%(email)s, 'UTF8')
        FROM lived, unnest(ARRAY['anonymous', 'user:' || id]) AS scope
    ), audited AS (
        INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
        SELECT 'anonymous', 'user.authenticate', subject, 'http 192.0.2.77', 'refused', ''
        FROM lived, unnest(ARRAY['user:' || id, login_digest(%(email)s)]) AS subject
    )
    SELECT id FROM lived
"""
TRACES = """
    SELECT 'attempt', login || ' ' || attempts FROM login_attempts
    UNION ALL SELECT 'answer', scope || ' ' || key FROM answers
    UNION ALL SELECT 'event', aggregate || ' ' || payload FROM outbox
    UNION ALL SELECT 'dead letter', dead_message::text || last_error FROM inbox
    UNION ALL SELECT 'audit', subject || ' ' || origin FROM audit_log
"""
JOIN = "INSERT INTO users (first_name, last_name, email, password) VALUES ('A', 'B', %s, 'x') RETURNING id"
FAIL = """
    WITH failed AS (
        INSERT INTO outbox (aggregate, event_type, event_version, payload, trace_id)
        VALUES ('login:' || lower(%(email)s), 'AuthenticationFailed', 2, jsonb_build_object('email', %(email)s::text), '')
        RETURNING *
    ), dead AS (
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        SELECT 'sales', message_id, event_type, 1, 'cannot handle ' || aggregate, now(), to_jsonb(failed) FROM failed
    ), audited AS (
        INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
        VALUES ('anonymous', 'user.register', login_digest(%(email)s), 'http 192.0.2.77', 'refused', '')
        RETURNING id
    )
    SELECT failed.position, failed.position, audited.id FROM failed, audited
"""
ERASED = """
    SELECT 'event', position, aggregate = 'login:' || %(id)s || '@erased.invalid' AND payload::text NOT LIKE '%%' || %(run)s || '%%'
    FROM outbox
    UNION ALL
    SELECT 'letter', (dead_message ->> 'position')::bigint, last_error = 'erased' AND dead_message::text NOT LIKE '%%' || %(run)s || '%%'
    FROM inbox WHERE dead_message ->> 'aggregate' LIKE '%%' || %(run)s || '%%' OR dead_message ->> 'aggregate' LIKE '%%' || %(id)s || '%%'
    UNION ALL
    SELECT 'entry', id, origin = 'erased' FROM audit_log WHERE id IN (SELECT unnest(%(entries)s::bigint[]))
"""
addresses = st.from_regex(r"[ab.+%_]{1,4}@[ab]{1,2}\.(co|com)(\.co)?", fullmatch=True)


sizes = st.integers(1, 4)


def erase(conn: psycopg.Connection[Any], user_id: uuid.UUID, at_most: int) -> Iterator[None]:
    """Erase the traces of a user in batches, with a pause after each but the last."""
    while conn.execute("SELECT erase_traces(%s, %s)", [user_id, at_most]).fetchone() == (False,):
        yield
    assert conn.execute("SELECT erase_traces(%s, %s)", [user_id, at_most]).fetchone() == (None,)


@pytest.fixture
def direct(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection for all examples of a test: to plan the functions takes longer than an example."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(addresses, min_size=2, max_size=6, unique_by=str.lower), sizes)
def test_no_traces_of_others_are_erased_however_alike_their_addresses_are(
    direct: psycopg.Connection[Any], emails: list[str], at_most: int
) -> None:
    with direct.transaction(force_rollback=True):

        def traces() -> set[tuple[Any, ...]]:
            return set(direct.execute(TRACES).fetchall())

        row = direct.execute(LIVE, {"email": emails[0]}).fetchone()
        assert row is not None
        erased = row[0]
        own = traces()
        for email in emails[1:]:
            direct.execute(LIVE, {"email": email})
        others = traces() - own
        direct.execute("DELETE FROM users WHERE id = %s", [erased])
        for _ in erase(direct, erased, at_most):
            assert traces() >= others
        after = traces()
        assert after >= others
        assert not after & own
        assert not any(f"{emails[0]} " in text or f'"{emails[0]}"' in text for _, text in after - others)


async def test_who_was_not_erased_keeps_everything(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    before = await (await conn.execute(TRACES.encode())).fetchall()
    # By the service itself, which may call the functions, but not enter an erasure.
    async with pool.connection() as service:
        await service.execute("SELECT erase_traces(%s)", [user_id])
        with pytest.raises(InsufficientPrivilege):
            await service.execute("INSERT INTO erasures (user_id, logins) VALUES (%s, '{}')", [user_id])
    assert await (await conn.execute(TRACES.encode())).fetchall() == before


# One step: which user takes which address, and whether a login with each address fails afterwards.
steps = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(before=[(0, 0, True), (0, 1, False), (1, 0, True), (1, 2, False), (0, 0, True), (0, 1, True)], after=[], at_most=1)
@example(before=[(0, 0, True)], after=[(1, 0, True), (1, 2, True)], at_most=1)
@given(steps, steps, sizes)
def test_of_an_address_only_the_traces_of_no_other_user_are_erased(
    direct: psycopg.Connection[Any], before: list[tuple[int, int, bool]], after: list[tuple[int, int, bool]], at_most: int
) -> None:
    run = uuid.uuid4().hex
    addresses = [f"{each}.{run}@example.org" for each in "abc"]
    ids, held, ever = dict[int, uuid.UUID](), dict[int, int](), set[int]()
    traces = list[tuple[tuple[str, int], int, int | None]]()

    def fail(login: int, owner: int | None) -> None:
        row = direct.execute(FAIL, {"email": addresses[login]}).fetchone()
        assert row is not None
        traces.extend((key, login, owner) for key in zip(("event", "letter", "entry"), row, strict=True))

    def go(moves: list[tuple[int, int, bool]], erased: int | None) -> None:
        for who, where, fails in moves:
            if who != erased and where not in held.values():
                if who in ids:
                    direct.execute("UPDATE users SET email = %s WHERE id = %s", [addresses[where], ids[who]])
                else:
                    row = direct.execute(JOIN, [addresses[where]]).fetchone()
                    assert row is not None
                    ids[who] = row[0]
                held[who] = where
                if who == 0:
                    ever.add(where)
            for login in range(3) if fails else ():
                fail(login, next((each for each, address in held.items() if address == login), None))

    go([(0, 0, True), *before], None)
    direct.execute("DELETE FROM users WHERE id = %s", [ids[0]])
    del held[0]
    rest = list(after)
    for _ in erase(direct, ids[0], at_most):
        go(rest[:1], 0)
        del rest[:1]
    go(rest, 0)
    # Once more, as two hours later.
    direct.execute("UPDATE erasures SET cleared_at = NULL WHERE user_id = %s", [ids[0]])
    assert all(each is None for each in erase(direct, ids[0], at_most))
    erased = {key for key, login, owner in traces if login in ever and owner in {None, 0}}
    entries = [number for (kind, number), _, _ in traces if kind == "entry"]
    rows = direct.execute(ERASED, {"run": run, "id": str(ids[0]), "entries": entries}).fetchall()
    assert {(kind, number) for kind, number, is_erased in rows if is_erased} == erased
    direct.execute("DELETE FROM users")


async def test_an_address_that_is_of_another_user_now_is_erased_for_the_time_before(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    first = await users.register(ANYONE, PROFILE, Password("correct horse"))
    assert isinstance(first, Ok)
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert isinstance(await users.update_profile(ADMIN, first.value.id, replace(PROFILE, email=FORMER)), Ok)
    second = await users.register(ANYONE, PROFILE, Password("correct horse"))
    assert isinstance(second, Ok)
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert isinstance(await users.register(ANYONE, PROFILE, Password("correct horse")), Err)
    assert await users.delete(ADMIN, first.value.id) == Ok(None)
    cur = await conn.execute("SELECT aggregate FROM outbox WHERE event_type = 'AuthenticationFailed' ORDER BY position")
    assert await cur.fetchall() == [(f"login:{first.value.id}@erased.invalid",), (f"login:{EMAIL.text.lower()}",)]
    cur = await conn.execute("SELECT origin = 'erased' FROM audit_log WHERE actor = 'anonymous' ORDER BY id")
    assert await cur.fetchall() == [(True,), (True,), (False,), (False,), (False,)]
    # And the other way round: what was there before the user had the address is about the previous one.
    third = await users.register(ANYONE, replace(PROFILE, email=FORMER), Password("correct horse"))
    assert isinstance(third, Ok)
    assert isinstance(await users.authenticate(ANYONE, FORMER, "wrong"), Err)
    assert isinstance(await users.update_profile(ADMIN, third.value.id, replace(PROFILE, email=EmailAddress("a@example.org"))), Ok)
    assert isinstance(await users.update_profile(ADMIN, second.value.id, replace(PROFILE, email=FORMER)), Ok)
    assert await users.delete(ADMIN, second.value.id) == Ok(None)
    cur = await conn.execute("SELECT aggregate FROM outbox WHERE event_type = 'AuthenticationFailed' ORDER BY position DESC LIMIT 1")
    assert await cur.fetchall() == [(f"login:{FORMER.text.lower()}",)]


async def test_what_is_of_others_is_not_read_however_much_it_is(conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO login_attempts (login, attempts) SELECT 'l' || n || '@example.org', 1 FROM generate_series(1, 500) AS n"
    )
    await conn.execute(
        "INSERT INTO answers (scope, key, subject, fingerprint, answer) SELECT 's' || n, 'k', 's', '', '' FROM generate_series(1, 500) AS n"
    )
    for n in range(20):
        await conn.execute(FAIL.encode(), {"email": f"l{n}@example.org"})
    row = await (await conn.execute(JOIN.encode(), [EMAIL.text])).fetchone()
    assert row is not None
    await conn.execute(FAIL.encode(), {"email": EMAIL.text})
    await conn.execute(
        "INSERT INTO former_addresses SELECT %s, now() - n * interval '1 s', 'f' || n, now() FROM generate_series(1, 2000) AS n", row
    )
    await conn.execute("ANALYZE")
    async with conn.transaction():
        await conn.execute("DELETE FROM users WHERE id = %s", row)
        await conn.execute("SELECT erase_traces(%s)", row)
        cur = await conn.execute(
            """
            SELECT relname FROM pg_stat_xact_user_tables
            WHERE (relname ~ 'audit_log|outbox|inbox|answers|login_attempts' AND seq_tup_read > 0)
               OR (relname IN ('former_addresses', 'users') AND seq_tup_read + coalesce(idx_tup_fetch, 0) > 20000)
            """
        )
        assert await cur.fetchall() == []
    cur = await conn.execute("SELECT count(*) FROM outbox WHERE aggregate = 'login:' || %s || '@erased.invalid'", [str(row[0])])
    assert await cur.fetchone() == (1,)


async def test_the_last_thousand_addresses_of_a_user_are_kept(conn: Connection) -> None:
    row = await (await conn.execute(JOIN.encode(), [EMAIL.text])).fetchone()
    assert row is not None
    await conn.execute(
        "INSERT INTO former_addresses SELECT %s, now() - n * interval '1 s', 'f' || n, now() FROM generate_series(1, 2000) AS n", row
    )
    await conn.execute("UPDATE users SET email = 'z@example.org' WHERE id = %s", row)
    cur = await conn.execute("SELECT count(*), bool_or(address = %s), bool_or(address = 'f1000') FROM former_addresses", [EMAIL.text])
    assert await cur.fetchone() == (1000, True, False)


async def test_the_service_erases_nothing_of_users_who_live_on(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    added = await users.register(ANYONE, PROFILE, Password("correct horse"))
    assert isinstance(added, Ok)
    again = "INSERT INTO users (id, first_name, last_name, email, password) VALUES (%s, 'A', 'B', 'a@example.org', 'x')"
    async with pool.connection() as service:
        async with service.transaction(force_rollback=True):
            await service.execute("DELETE FROM users WHERE id = %s", [added.value.id])
            await service.execute("SELECT erase_traces(%s)", [added.value.id])
            with pytest.raises(InsufficientPrivilege, match="not used again"):
                await service.execute(again, [added.value.id])
        with pytest.raises(InsufficientPrivilege):
            await service.execute("UPDATE users SET email_since = '-infinity'")
        assert await users.delete(ADMIN, added.value.id) == Ok(None)
        # Before its time, as after it: no entry is finished early, and none is forgotten.
        for finished in (None, True, None):
            cur = await service.execute("SELECT erase_traces(%s)", [added.value.id])
            assert await cur.fetchone() == (finished,)
            with pytest.raises(InsufficientPrivilege, match="not used again"):
                await service.execute(again, [added.value.id])
            await conn.execute("UPDATE erasures SET erased_at = now() - interval '3 hours'")


async def test_an_erasure_is_final(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    assert await UserCommands(Transactions(units_of_work(pool)), cheap_hasher).erase(ADMIN, user_id) == Ok(None)
    for other in ("NULL", "now() + interval '1 day'"):
        with pytest.raises(InsufficientPrivilege, match="final"):
            await conn.execute(f"UPDATE users SET erased_at = {other}".encode())


# --- Many traces ----------------------------------------------------------------------------------------------------------

# Of each kind many, by the id and the address of a user, and by the address of a user who is another one since.
MANY = """
    WITH numbered AS (SELECT n FROM generate_series(1, %(number)s) AS n), answered AS (
        INSERT INTO answers (scope, key, subject, fingerprint, answer)
        SELECT scope, n || %(user)s, subject, '', ''
        FROM numbered, (VALUES (%(user)s, 'order:1'), ('anonymous', %(user)s)) AS v (scope, subject)
    ), failed AS (
        INSERT INTO outbox (aggregate, event_type, event_version, payload, trace_id)
        SELECT 'login:' || lower(address), 'AuthenticationFailed', 2, jsonb_build_object('email', address), ''
        FROM numbered, unnest(%(addresses)s::text[]) AS address
        RETURNING *
    ), dead AS (
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        SELECT consumer, message_id, event_type, 1, 'cannot handle ' || aggregate, now(), to_jsonb(failed)
        FROM failed, unnest(ARRAY['sales', 'cache']) AS consumer
    )
    INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
    SELECT actor, 'user.authenticate', subject, %(origin)s, 'refused', ''
    FROM numbered, (
        SELECT %(user)s, 'user:other' UNION ALL SELECT 'anonymous', %(user)s UNION ALL SELECT 'user:other', %(user)s
        UNION ALL SELECT 'anonymous', login_digest(address) FROM unnest(%(addresses)s::text[]) AS address
    ) AS v (actor, subject)
"""
WORK = """
    SELECT sum(n_tup_upd + n_tup_del), sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FILTER (WHERE relname <> 'inbox')
    FROM pg_stat_xact_user_tables
    WHERE relname <> 'erasures'
"""


async def entered(conn: Connection, number: int) -> str:
    """Let a user leave this number of traces of each kind, and delete the row alone. The previous address is that of another since."""
    row = await (await conn.execute(JOIN.encode(), [FORMER.text])).fetchone()
    assert row is not None
    await conn.execute("UPDATE users SET email = %s WHERE id = %s", [EMAIL.text, row[0]])
    await conn.execute(JOIN.encode(), [FORMER.text])
    many = {"number": number, "user": f"user:{row[0]}", "addresses": [EMAIL.text, FORMER.text], "origin": f"http {ADDRESS}"}
    await conn.execute(MANY.encode(), many)
    # Of nobody.
    await conn.execute(MANY.encode(), many | {"user": "user:nobody", "addresses": ["a@example.org", "b@example.org"]})
    await conn.execute("ANALYZE")
    await conn.execute("DELETE FROM users WHERE id = %s", [row[0]])
    return str(row[0])


async def test_no_batch_does_more_than_it_may_whatever_there_is(conn: Connection) -> None:
    user_id = await entered(conn, 100)
    row: tuple[Any, ...] | None = (False,)
    batches = 0
    while row == (False,):
        async with conn.transaction():
            # The server also counts what earlier transactions have done, as long as it has not reported it.
            before = await (await conn.execute(WORK)).fetchone()
            row = await (await conn.execute("SELECT erase_traces(%s, 20)", [user_id])).fetchone()
            after = await (await conn.execute(WORK)).fetchone()
        assert before is not None
        assert after is not None
        batches += 1
        # Of a message the dead letters of two consumers. Each trace is read when it is counted, and when it is erased.
        assert (after[0] - before[0] <= 21, after[1] - before[1] <= 80) == (True, True), (before, after)
    assert row == (True,)
    assert batches > 100 * 9 / 20
    counted = """
        SELECT (SELECT count(*) FROM answers), (SELECT count(*) FROM audit_log WHERE origin <> 'erased'),
            (SELECT count(*) FROM outbox WHERE aggregate NOT LIKE '%erased%'), (SELECT count(*) FROM inbox WHERE last_error <> 'erased')
    """
    # What is of nobody, what another user did about this one, and what is of the one who has the previous address.
    assert await (await conn.execute(counted)).fetchone() == (200, 100 * (5 + 1 + 1), 100 * (2 + 1), 100 * 2 * (2 + 1))


async def test_who_has_more_traces_than_a_transaction_erases_is_erased_at_once_and_the_rest_later(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    transactions = Transactions(units_of_work(pool))
    users, pruning = (
        UserCommands(transactions, cheap_hasher),
        MessagePruning(transactions, timedelta(days=7), timedelta(days=7), traces=900),
    )
    left = "SELECT count(*) FROM audit_log WHERE subject = %s AND origin <> 'erased'"
    for way in ("erase_rest", "prune"):
        await conn.execute("DELETE FROM inbox")
        user_id = await live(pool, cheap_hasher, conn)
        subject = [f"user:{user_id}"]
        await conn.execute(
            """
            INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
            SELECT 'anonymous', 'user.authenticate', %s, %s, 'refused', '' FROM generate_series(1, 7000)
            """,
            [*subject, f"http {ADDRESS}"],
        )
        assert await users.erase(ADMIN, user_id) == Ok(None)
        row = await (await conn.execute(left, subject)).fetchone()
        assert row is not None
        assert 2_000 <= row[0] < 7_000
        cur = await conn.execute("SELECT email, erased_at IS NOT NULL FROM users WHERE id = %s", [user_id])
        assert await cur.fetchone() == (str(user_id), True)
        if way == "erase_rest":
            steps = list[int]()
            assert await pruning.erase_rest(ADMIN, user_id, steps.append)
            assert sum(steps) >= row[0] - 1000
        else:
            assert await pruning.prune(ADMIN) == Pruning(Pruned(erasures=1), [])
        # There is nothing else to do until requests in flight have ended.
        assert await pruning.erase_rest(ADMIN, user_id)
        assert await pruning.prune(ADMIN) == Pruning(Pruned(), [])
        assert await found(conn, PERSONAL) == []


async def test_an_erasure_that_another_process_goes_on_with_is_not_said_to_be_complete(pool: Pool, conn: Connection) -> None:
    user_id = await entered(conn, 5)
    pruning = MessagePruning(Transactions(units_of_work(pool)), timedelta(days=7), timedelta(days=7), traces=1)
    async with conn.transaction():
        await conn.execute("SELECT erase_traces(%s, 1)", [user_id])
        assert not await pruning.erase_rest(ADMIN, UserId(uuid.UUID(user_id)))
        assert await pruning.prune(ADMIN) == Pruning(Pruned(), [])
    assert await pruning.erase_rest(ADMIN, UserId(uuid.UUID(user_id)))


# --- Dead letters of others -----------------------------------------------------------------------------------------------

TIMES: list[Any] = [
    "2026-11-22T07:00:00+23:59",
    "0001-01-01T00:00:00+15:00",
    "99999-01-01",
    "infinity",
    "-infinity",
    "never",
    "",
    1,
    None,
    [],
]
LETTERS: list[Any] = [
    *(
        {"event_type": "AuthenticationFailed", "aggregate": f"login:{EMAIL}", "payload": {"email": EMAIL.text}, "occurred_at": t}
        for t in TIMES
    ),
    *(
        {"event_type": "AuthenticationFailed", "aggregate": EMAIL.text.upper(), "payload": each}
        for each in (None, 5, [EMAIL.text], EMAIL.text)
    ),
    {"event_type": "AuthenticationFailed", "aggregate": "", "payload": {"mail": EMAIL.text}, "more": [EMAIL.text]},
    {"event_type": "OrderPaid", "aggregate": "order:1", "payload": {"email": EMAIL.text}, "trace_id": EMAIL.text},
    {"event_type": "Unreadable", "aggregate": "unreadable", "payload": f'<a href="mailto:{EMAIL}">\n{FORMER}.\n'},
    *(
        {"event_type": "OrderPaid", "payload": text.format(EMAIL)}
        for text in (
            "'{}'",
            "{{'{}'}}",
            "`{}`!",
            "'{} is wrong'",
            "({}'s)",
            "email={}",
            "a='{}'",
            "/users/{}/orders?n=1",
            "{}/x",
            "a={}&b=2",
        )
    ),
    *({"event_type": "OrderPaid", "payload": f"/?email={EMAIL.text.replace('@', at).replace('+', '%2B')}&n=1"} for at in ("@", "%40")),
    {"event_type": EMAIL.text},
    [EMAIL.text],
    EMAIL.text,
]


async def test_an_address_in_a_dead_letter_is_erased_whatever_else_it_says(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    await conn.execute("DELETE FROM inbox")
    for letter in [*LETTERS, {"event_type": "Unreadable", "payload": f"x{EMAIL} {EMAIL}x"}]:
        await conn.execute(
            """
            INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
            SELECT 'sales', gen_random_uuid(), %s, 1, 'cannot', now(), %s::jsonb
            """,
            [letter["event_type"] if isinstance(letter, dict) else "Unreadable", json.dumps(letter)],
        )
    transactions = Transactions(units_of_work(pool))
    assert await UserCommands(transactions, cheap_hasher).erase(ADMIN, user_id) == Ok(None)
    assert await MessagePruning(transactions, timedelta(days=7), timedelta(days=7)).erase_rest(ADMIN, user_id)
    assert {(table, needle) for table, needle in await found(conn, PERSONAL)} == {("inbox", "zebulon")}
    # The addresses of others, of which this one is a part.
    await conn.execute("DELETE FROM inbox WHERE dead_message ->> 'payload' LIKE 'x%'")
    assert await found(conn, PERSONAL) == []
    # They can be shown, and cannot be replayed by mistake.
    cur = await conn.execute(
        "SELECT count(*) FROM inbox WHERE dead_message ? 'aggregate' AND dead_message ? 'payload' AND last_error = 'erased'"
    )
    assert await cur.fetchone() == (len(LETTERS),)


# Texts in which an address may be found, as of programs and messages that cannot be read.
AROUND = [
    "{}",
    "'{}'",
    "{{'{}'}}",
    "mail='{}'",
    "{}.",
    "_{}_",
    "hello\\n{}",
    "to \\u003c{}\\u003e",
    "C:\\{}",
    "mailto:{}?subject=x",
    "to={}&x=1",
    "https://u:p@h/users/{}",
]
IN_URLS = ["/users/{}/orders", "https://x/?to=%3C{}%3E", "email={}&n=1"]


@pytest.mark.parametrize("address", ["o'brien+x@example.org", "zoe@example.org"])
async def test_an_address_is_found_in_the_text_of_a_letter(conn: Connection, address: str) -> None:
    texts = [*(each.format(address) for each in AROUND), *(each.format(quote(address, safe="")) for each in IN_URLS)]
    # And where the text is stored in another one.
    texts += [json.dumps(each) for each in texts]
    query = "SELECT text FROM unnest(%s::text[]) AS text WHERE NOT login_digests(to_jsonb(text)) @> ARRAY[login_digest(%s)]"
    assert await (await conn.execute(query, [texts, address])).fetchall() == []


# Ways in which programs write text, each from bytes to bytes. Some also encode the characters of an address.
Encoding: TypeAlias = Callable[[bytes], bytes]
ENCODINGS: list[Encoding] = [
    lambda text: text,
    lambda text: json.dumps(text.decode("latin-1")).encode(),
    lambda text: repr(text).encode(),
    lambda text: html.escape(text.decode("latin-1")).encode("ascii", "xmlcharrefreplace"),
    lambda text: quote(text).encode(),
    lambda text: quopri.encodestring(text, quotetabs=True),
    lambda text: text.decode("latin-1").encode("utf-16"),
    lambda text: text.decode("latin-1").encode("utf-16-be"),
    lambda text: b"".join(b"\\%03o" % each for each in text),
    lambda text: b"".join(b"\\u%04x" % each for each in text),
    lambda text: b"".join(b"&#x%x;" % each for each in text),
    lambda text: b"".join(b"\\u{%x}" % each for each in text),
    lambda text: html.escape(html.escape(text.decode("latin-1"))).encode("ascii", "xmlcharrefreplace"),
    lambda text: b"".join(b"\\x{%x}" % each for each in text),
    lambda text: b"".join(b"&#%d" % each for each in text),
    lambda text: html.escape(text.decode("latin-1")).replace("@", "&commat;").replace(".", "&period;").encode("ascii", "xmlcharrefreplace"),
    lambda text: b"q=to+" + quote_plus(text).encode() + b"+now",
    # The link of a mail.
    lambda text: quopri.encodestring(b'<a href="https://example.org/out?e=' + quote(text, safe="").encode() + b'">', quotetabs=True),
    lambda text: b"VALUES ('" + text.replace(b"'", b"''") + b"')",
]
BYTES_AROUND = [
    (b" ", b" "),
    (b"<", b">"),
    (b"\0", b"\0"),
    (b"\x85email\xbb", b"\xa3foo"),
    (b"\x93", b"\x94"),
    (b"\n", b"\r\n"),
    (b"C:\\", b"\\"),
    (b"(@", b"'s)"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    address=st.sampled_from(["o'brien+x@example.org", "Zoe=3@example.org", "new@example.org", "x25@c.co"]),
    around=st.sampled_from(BYTES_AROUND),
    encoding=st.sampled_from(ENCODINGS),
    quoting=st.sampled_from(ENCODINGS[:3]),
    indent=st.integers(0, 80),
)
async def test_an_address_is_found_in_a_message_of_any_bytes(
    conn: Connection, address: str, around: tuple[bytes, bytes], encoding: Encoding, quoting: Encoding, indent: int
) -> None:
    message = read_message(quoting(encoding(b" " * indent + around[0] + address.encode() + around[1])))
    query = "SELECT login_digests(%s::text::jsonb) @> ARRAY[login_digest(%s)]"
    assert await (await conn.execute(query, [message.model_dump_json(), address])).fetchone() == (True,), message.payload


LARGE = """
    INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
    SELECT 'sales', gen_random_uuid(), event_type, 1, 'cannot', now(),
        jsonb_build_object('event_type', event_type, 'aggregate', 'order:1', 'note', %(email)s::text, 'text', repeat('word ', 2500))
    FROM generate_series(1, 15), unnest(ARRAY['OrderPaid', 'AuthenticationFailed']) AS event_type
"""


async def test_the_size_of_dead_letters_keeps_nobody_from_being_erased(conn: Connection) -> None:
    row = await (await conn.execute(JOIN.encode(), [EMAIL.text])).fetchone()
    assert row is not None
    await conn.execute(LARGE.encode(), {"email": EMAIL.text})
    # The search of a large text takes the time that a transaction does not have for many of them.
    await conn.execute(
        """
        CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN
            IF octet_length(message::text) > 10000 THEN
                RAISE 'searched';
            END IF;
            RETURN '{}';
        END
        $$
        """
    )
    await conn.execute("DELETE FROM users WHERE id = %s", row)
    left = [30]
    while await (await conn.execute("SELECT erase_traces(%s)", row)).fetchone() == (False,):
        cur = await conn.execute("SELECT count(*) FROM inbox WHERE dead_message::text LIKE '%%' || %s || '%%'", [EMAIL.text])
        left += [number for (number,) in await cur.fetchall()]
    assert await found(conn, [EMAIL.text.lower()]) == []
    assert len(left) > 1
    assert max(before - after for before, after in pairwise([*left, 0])) <= 20


async def test_what_is_too_large_for_an_event_becomes_a_dead_letter_without_its_content(conn: Connection) -> None:
    # Each escape is another one, in many readings: a search of all of it takes minutes.
    escapes = "".join(f"%{'25' * depth}{sign:02X}" for depth in range(100) for sign in range(33, 127))
    body = f"{EMAIL} &#64; =40 \0 =\n {escapes}".encode()
    assert len(body) > 900_000
    sent = read_message(body)
    await conn.execute("SET statement_timeout = '10s'")
    await conn.execute(
        """
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        VALUES ('sales', %s, %s, 1, %s, now(), %s::jsonb)
        """,
        [sent.id, sent.event_type, f"cannot read {EMAIL}", sent.model_dump_json()],
    )
    cur = await conn.execute("SELECT last_error, dead_message ->> 'payload' LIKE '%% bytes, too large to be kept', dead_logins FROM inbox")
    assert await cur.fetchall() == [("too large", True, [])]
    assert await found(conn, [EMAIL.text.lower()]) == []


async def test_what_can_be_read_in_too_many_ways_becomes_a_dead_letter_without_its_content(conn: Connection) -> None:
    # All that makes another reading, and in each of them thousands of other words that may be addresses.
    words = " ".join(f"{word:x}@z" for word in range(6000))
    sent = read_message(f"{EMAIL} =\\n \0 &amp;#64; \\' + =41 %2541 {words}".encode())
    await conn.execute(
        """
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        VALUES ('sales', %s, %s, 1, %s, now(), %s::jsonb)
        """,
        [sent.id, sent.event_type, f"cannot read {EMAIL}", sent.model_dump_json()],
    )
    cur = await conn.execute(
        "SELECT last_error, dead_message ->> 'payload' LIKE '%% bytes, too many escapes to be kept', dead_logins FROM inbox"
    )
    assert await cur.fetchall() == [("too many escapes", True, [])]
    assert await found(conn, [EMAIL.text.lower()]) == []


BURIED = """
    INSERT INTO inbox (consumer, message_id, event_type, received_at, attempts, last_error, dead_at, dead_message)
    VALUES ('sales', gen_random_uuid(), 'Unreadable', now(), 1, 'cannot read ' || %(email)s::text, now(),
        jsonb_build_object('payload', %(email)s::text, 'occurred_at', %(at)s::text))
"""


async def test_a_message_that_becomes_a_dead_letter_after_the_erasure_loses_the_address(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    transactions = Transactions(units_of_work(pool))
    user_id = await live(pool, cheap_hasher, conn)
    published = datetime.now(UTC).isoformat()
    assert await UserCommands(transactions, cheap_hasher).erase(ADMIN, user_id) == Ok(None)
    await conn.execute("UPDATE erasures SET erased_at = erased_at - interval '3 hours', cleared_at = cleared_at - interval '3 hours'")
    pruning = MessagePruning(transactions, timedelta(days=7), timedelta(days=7))
    assert await pruning.prune(ADMIN) == Pruning(Pruned(erasures=1), [])
    await conn.execute("UPDATE erasures SET erased_at = erased_at + interval '3 hours'")
    for at in (published, "never"):
        await conn.execute(BURIED.encode(), {"email": EMAIL.text, "at": at})
    assert await found(conn, PERSONAL) == []
    # A new user of the address: what is of that time is of that user, and so is what comes then and has no time.
    assert isinstance(await UserCommands(transactions, cheap_hasher).register(ANYONE, PROFILE, Password("correct horse")), Ok)
    for passed in ("0 hours", "3 hours"):
        await conn.execute("UPDATE erasures SET erased_at = erased_at - %s::interval", [passed])
        for at in (datetime.now(UTC).isoformat(), "never"):
            await conn.execute(BURIED.encode(), {"email": EMAIL.text, "at": at})
    cur = await conn.execute("SELECT count(*) FROM inbox WHERE dead_message ->> 'payload' = %s", [EMAIL.text])
    assert await cur.fetchone() == (4,)
    # The digests are kept until no message of before can be delivered.
    kept = "SELECT cardinality(logins) FROM erasures"
    await conn.execute("UPDATE erasures SET erased_at = now() - interval '7 days'")
    assert await pruning.prune(ADMIN) == Pruning(Pruned(), [])
    assert await (await conn.execute(kept)).fetchone() == (2,)
    await conn.execute("UPDATE erasures SET erased_at = now() - interval '7 days 2 hours 1 minute'")
    assert await pruning.prune(ADMIN) == Pruning(Pruned(), [])
    assert await (await conn.execute(kept)).fetchone() == (0,)


# --- Requests in flight -------------------------------------------------------------------------------------------------


async def test_what_requests_in_flight_leave_is_erased_when_they_have_ended(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    user_id = await live(pool, cheap_hasher, conn)
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    pruning = MessagePruning(Transactions(units_of_work(pool)), timedelta(days=7), timedelta(days=7))
    own = Context(Actor.user(user_id), f"http {ADDRESS}")
    assert await users.erase(own, user_id) == Ok(None)
    assert await found(conn, PERSONAL) == []
    # As by requests that had begun before, and know of no erasure.
    assert isinstance(await users.authenticate(ANYONE, EMAIL, "wrong"), Err)
    assert not isinstance(await users.update_profile(own, user_id, PROFILE), Ok)
    left = {table for table, _ in await found(conn, PERSONAL)}
    assert left == {"login_attempts", "outbox", "audit_log_first"}
    assert await pruning.prune(ADMIN) == Pruning(Pruned(), [])
    assert {table for table, _ in await found(conn, PERSONAL)} == left
    await age(conn)
    for finished in (1, 0):
        assert await pruning.prune(ADMIN) == Pruning(Pruned(erasures=finished), [])
        assert await found(conn, PERSONAL) == []


async def age(conn: Connection) -> None:
    """Let three hours pass since everything that happened so far."""
    await conn.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_erase_only")
    for column in ("audit_log.at", "outbox.occurred_at", "erasures.erased_at", "users.email_since"):
        table, _, name = column.partition(".")
        await conn.execute(f"UPDATE {table} SET {name} = {name} - interval '3 hours'".encode())
    await conn.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_erase_only")


async def test_an_erasure_that_fails_is_reported_and_stops_neither_the_others_nor_the_rest(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    for email in (FORMER, EMAIL):
        added = await users.register(ANYONE, replace(PROFILE, email=email), Password("correct horse"))
        assert isinstance(added, Ok)
        assert await users.delete(ADMIN, added.value.id) == Ok(None)
    await age(conn)
    # As one that the other process buries at the same time.
    await conn.execute("ALTER TABLE inbox DISABLE TRIGGER inbox_bury")
    await conn.execute(
        """
        INSERT INTO inbox (consumer, message_id, event_type, received_at, attempts, last_error, dead_at, dead_message, dead_logins)
        SELECT 'sales', gen_random_uuid(), 'AuthenticationFailed', now() - interval '2 hours', 1, 'unreadable', now(),
            jsonb_build_object('aggregate', 'login:' || address), ARRAY[login_digest(address)]
        FROM CAST(%s AS text) AS address
        """,
        [FORMER.text],
    )
    await conn.execute("ALTER TABLE inbox ENABLE TRIGGER inbox_bury")
    await conn.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'")
    await conn.execute("CREATE TRIGGER fail BEFORE UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION fail()")
    await conn.execute("UPDATE outbox SET published_at = now() - interval '8 days'")
    pruning = MessagePruning(Transactions(units_of_work(pool)), timedelta(days=7), timedelta(days=7), batch_size=1)
    done = await pruning.prune(ADMIN)
    assert (done.pruned, len(done.failures)) == (Pruned(outbox=4, erasures=1), 1)
    await conn.execute("DROP TRIGGER fail ON inbox")
    assert await pruning.prune(ADMIN) == Pruning(Pruned(erasures=1), [])
    assert await found(conn, PERSONAL) == []


async def test_a_login_during_the_erasure_leaves_no_session(pool: Pool, cheap_hasher: PasswordHasher) -> None:
    transactions = Transactions(units_of_work(pool))
    users = UserCommands(transactions, cheap_hasher)
    added = await users.register(ANYONE, PROFILE, Password("correct horse"))
    assert isinstance(added, Ok)
    user_id = added.value.id

    class Late(MemorySessionStore):
        """A store that is reached after the user was erased, and so after the sessions were ended."""

        async def open(self, session_id: str, digest: str, user_id: UserId, generation: int, origin: str, lifetime: timedelta) -> None:
            await users.erase(ADMIN, user_id)
            await super().open(session_id, digest, user_id, generation, origin, lifetime)

    store = Late()
    sessions = session_commands(users, transactions, store)
    assert await sessions.log_in(ANYONE, EMAIL, "correct horse") == Err(WrongCredentials())
    assert await store.of_user(user_id) == []
