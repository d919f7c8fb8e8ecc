"""The composed service and its password hashing, on a real database."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from argon2 import Parameters, Type, extract_parameters, low_level
from psycopg import AsyncConnection, sql

import shop_db
from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.application.reads.cache import ReadCache
from shop.application.reads.models import UserOrderSummary
from shop.application.reads.query_service import QueryService
from shop.application.reads.replica import Replica
from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.application.transactions.failures import StoreLost
from shop.bootstrap.administration import DatabaseNotReady
from shop.bootstrap.consumer_names import ConsumerName
from shop.bootstrap.service import Adapters, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName, UserId
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.passwords import DEFAULT, Argon2PasswordHasher, parameters
from shop.infrastructure.postgres.pool import Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.reads.repositories import read_repositories
from shop.infrastructure.postgres.schema import SCHEMA_VERSION
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

from .databases import KEPT
from .memory.broker import MemoryBroker

pytestmark = pytest.mark.long


def settings(database_url: str) -> Settings:
    return Settings.model_validate({"database_url": database_url})


CONTEXT = Context(Actor.system("test"), "pytest")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))


# --- The pool -----------------------------------------------------------------------------------------------------------


async def test_a_broken_connection_of_the_pool_is_not_lent(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        # A pool that is still filling would open another connection, and hide the broken one.
        await pool.wait()
        async with pool.connection() as conn:
            doomed = conn.info.backend_pid
        async with await AsyncConnection.connect(database_url, autocommit=True) as killer:
            await killer.execute("SELECT pg_terminate_backend(%s, 10000)", [doomed])
        async with pool.connection() as conn:
            assert conn.info.backend_pid != doomed
            await conn.execute("SELECT 1")


@pytest.mark.parametrize("query", ["", "client_encoding=LATIN1", "client_encoding=SQL_ASCII", "options=-c%20datestyle%3Dgerman"])
async def test_texts_and_times_do_not_depend_on_the_client_s_settings(
    database_url: str, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    monkeypatch.setenv("PGDATESTYLE", "German")
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    async with open_pool(f"{database_url}{'&' if '?' in database_url else '?'}{query}") as pool, pool.connection() as conn:
        cur = await conn.execute("SELECT '\u017d\u20ac'::text, timestamptz '2026-01-31 12:00+00'")
        row = await cur.fetchone()
    assert row == ("\u017d\u20ac", datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert row is not None
    assert row[1].isoformat() == "2026-01-31T12:00:00+00:00"


async def test_closing_the_service_closes_its_connections(database_url: str) -> None:
    async with open_shop(settings(database_url)) as shop:
        assert await shop.reads.count_users() == Ok(0)
    async with await AsyncConnection.connect(database_url, autocommit=True) as conn, asyncio.timeout(300):
        # A backend leaves pg_stat_activity shortly after its client.
        others = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> %s
        """
        while await (await conn.execute(others, [KEPT])).fetchone() != (0,):
            pass


async def test_a_server_that_does_not_answer_is_reported() -> None:
    with pytest.raises(DatabaseNotReady, match=r"^cannot connect to PostgreSQL: "):
        async with open_shop(settings("postgres://postgres@127.0.0.1:1/shop")):
            pass


async def test_an_invalid_url_is_reported_without_being_printed() -> None:
    with pytest.raises(DatabaseNotReady, match=r"^the database URL is not a PostgreSQL connection string$"):
        async with open_pool("http://ada:secret@localhost/shop"):
            pass


async def test_a_database_without_migrations_is_reported(new_database: Callable[[str], str]) -> None:
    with pytest.raises(DatabaseNotReady, match=r'^the migrations are not applied \(relation "users" does not exist\)$'):
        async with open_shop(settings(new_database("template1"))):
            pass


async def test_a_database_with_an_older_table_is_reported(conn: AsyncConnection[Any], database_url: str) -> None:
    await conn.execute("ALTER TABLE users DROP COLUMN phone")
    with pytest.raises(DatabaseNotReady, match=r'^the migrations are not applied \(column "phone" does not exist\)$'):
        async with open_shop(settings(database_url)):
            pass


async def test_an_older_schema_is_refused_also_if_it_has_all_columns(conn: AsyncConnection[Any], database_url: str) -> None:
    await conn.execute("UPDATE schema_migrations SET version = '2' WHERE version = %s", [SCHEMA_VERSION])
    with pytest.raises(DatabaseNotReady, match=rf"^the migrations are not applied: .*, but this code requires {SCHEMA_VERSION}$"):
        async with open_shop(settings(database_url)):
            pass


async def test_a_newer_schema_is_accepted_as_during_a_deployment(conn: AsyncConnection[Any], database_url: str) -> None:
    await conn.execute("INSERT INTO schema_migrations (version) VALUES ('9')")
    async with open_shop(settings(database_url)) as shop:
        assert shop.broker is None


async def test_only_queries_go_to_the_replica(database_url: str, new_database: Callable[[str], str]) -> None:
    replica = new_database(urlsplit(database_url).path.removeprefix("/"))
    async with await AsyncConnection.connect(replica, autocommit=True) as conn:
        # As on a standby: writes and locks are refused.
        await conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(sql.Identifier(conn.info.dbname)))
    chosen = Settings.model_validate({"database_url": database_url, "database_read_url": replica})
    async with open_shop(chosen) as shop, open_shop(settings(database_url)) as primary:
        assert isinstance(await shop.users.register(CONTEXT, ADA, Password("correct horse")), Ok)
        assert (await shop.reads.count_users(), await primary.reads.count_users()) == (Ok(0), Ok(1))


async def test_a_pooled_connection_knows_every_type_of_the_queries(database_url: str) -> None:
    # The package has a `register` if one of its queries needs a type that psycopg does not know.
    assert not hasattr(shop_db, "register"), "open_pool must call shop_db.register in configure, and this test must verify it"


class Flaky:
    """Opens read repositories while `is_up`; otherwise it behaves as a replica that is down."""

    def __init__(self, open_reads: OpenReadRepositories) -> None:
        self._open = open_reads
        self.is_up = False
        self.opened = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[ReadRepositories]:
        self.opened += 1
        if not self.is_up:
            raise StoreLost("down")
        async with self._open() as reads:
            yield reads


async def test_a_replica_that_is_down_is_out_of_use_for_a_while(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    flaky = Flaky(read_repositories(pool))
    now = 0.0
    reads = QueryService(read_repositories(pool), replica=Replica(flaky, pause=5, clock=lambda: now))
    with caplog.at_level(logging.WARNING, "shop.reads"):
        for _ in range(5):
            assert await reads.count_users() == Ok(0)
        assert flaky.opened == 1
        now, flaky.is_up = 5.0, True
        for _ in range(2):
            assert await reads.count_users() == Ok(0)
        assert flaky.opened == 3
    assert [record.getMessage() for record in caplog.records] == ["the replica is out of use: down", "the replica answers again"]


async def test_only_answers_of_the_primary_are_cached_and_a_replica_answers_without_it(pool: Pool) -> None:
    primary, replica, user_id = Flaky(read_repositories(pool)), Flaky(read_repositories(pool)), UserId(uuid.uuid4())
    reads = QueryService(primary, ReadCache(MemoryCacheStore()), Replica(replica))
    nothing, asked = Ok(UserOrderSummary(user_id=user_id, totals=())), list[tuple[int, int]]()
    for primary.is_up, replica.is_up in ((False, True), (True, True), (False, False)):
        assert await reads.order_summary(user_id) == nothing
        asked.append((primary.opened, replica.opened))
    assert asked == [(1, 1), (2, 1), (2, 1)]


async def test_a_replica_with_outdated_migrations_is_not_used(database_url: str, new_database: Callable[[str], str]) -> None:
    chosen = Settings.model_validate({"database_url": database_url, "database_read_url": new_database("template1")})
    async with open_shop(chosen) as shop:
        assert await shop.reads.count_users() == Ok(0)


async def test_a_frozen_replica_is_not_waited_for(pool: Pool) -> None:
    @asynccontextmanager
    async def frozen() -> AsyncGenerator[ReadRepositories]:
        await asyncio.Event().wait()
        async with read_repositories(pool)() as opened:
            yield opened

    assert await QueryService(read_repositories(pool), replica=Replica(frozen, patience=0.1)).count_users() == Ok(0)


# --- What the service promises ------------------------------------------------------------------------------------------


async def setting(conn: AsyncConnection[Any], name: str) -> str:
    row = await (await conn.execute("SELECT current_setting(%s)", [name])).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("default", "ours"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
async def test_every_session_of_the_service_waits_for_the_disk_whatever_the_default(
    database_url: str, conn: AsyncConnection[Any], default: str, ours: str
) -> None:
    name = sql.Identifier(conn.info.dbname)
    await conn.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = {}").format(name, sql.Literal(default)))
    async with open_pool(database_url) as pool, pool.connection() as lent:
        assert await setting(lent, "synchronous_commit") == ours


async def test_a_transaction_of_a_frozen_process_ends_and_releases_its_locks(database_url: str, conn: AsyncConnection[Any]) -> None:
    async def freeze() -> None:
        async with open_pool(database_url, PoolOptions(idle_in_transaction_timeout=0.2)) as pool, units_of_work(pool)() as uow:
            await uow.repositories.users.add(NewUser(ADA, PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")))
            busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            async with asyncio.timeout(300):
                while await (await conn.execute(f"{busy} AND pid <> pg_backend_pid()".encode())).fetchone() != (0,):
                    pass
            await uow.commit()

    with pytest.raises(StoreLost):
        await freeze()
    assert await (await conn.execute("SELECT count(*) FROM users")).fetchone() == (0,)


async def test_there_is_no_consumer_of_a_cache_without_a_cache(database_url: str) -> None:
    async with open_shop(settings(database_url), Adapters(broker=MemoryBroker())) as shop:
        assert shop.consumers is not None
        assert list(shop.consumers) == ["sales"]


# --- Other adapters -----------------------------------------------------------------------------------------------------


async def test_every_consumer_that_the_command_line_names_is_in_the_registry(database_url: str, redis_url: str) -> None:
    settings = Settings.model_validate({"database_url": database_url, "redis_url": redis_url, "smtp_url": "smtp://127.0.0.1:1"})
    async with open_shop(settings, Adapters(broker=MemoryBroker())) as shop:
        assert shop.consumers is not None
        assert set(shop.consumers) == set(ConsumerName)


async def test_adapters_can_be_replaced_where_the_service_is_composed(database_url: str, cheap_hasher: PasswordHasher) -> None:
    adapters = Adapters(passwords=cheap_hasher, cache=MemoryCacheStore(), broker=MemoryBroker())
    async with open_shop(settings(database_url), adapters) as shop:
        registered = await shop.users.register(CONTEXT, ADA, Password("correct horse"))
        assert isinstance(registered, Ok)
        lines = (OrderLine("MUG-01", "Mug", 2, Money(9_90, Currency.EUR)),)
        placed = await shop.orders.place(CONTEXT, NewOrder(registered.value.id, lines))
        assert isinstance(placed, Ok)
        assert isinstance(await shop.orders.pay(CONTEXT, placed.value.id), Ok)
        assert shop.relay is not None
        assert shop.consumers is not None
        assert await shop.relay.run_until_empty() == 3
        # Of the three events, it is sent the payment.
        assert [await shop.consumers["sales"].run_once() for _ in range(2)] == [1, 0]
        sold = await shop.reads.daily_sales(date.min)
        assert isinstance(sold, Ok)
        assert [(day.orders, day.revenue_minor) for day in sold.value] == [(1, 19_80)]
        assert await shop.reads.order_summary(registered.value.id) == await shop.reads.order_summary(registered.value.id)
        assert (shop.cache.hits, shop.cache.misses) == (1, 1)


# --- Passwords ----------------------------------------------------------------------------------------------------------


CHEAP = Parameters(Type.ID, 19, 16, 32, time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(params=["argon2", "readable"])
def hasher(request: pytest.FixtureRequest, cheap_hasher: PasswordHasher) -> PasswordHasher:
    """A hasher of either kind."""
    return Argon2PasswordHasher(CHEAP) if request.param == "argon2" else cheap_hasher


async def test_a_password_matches_its_own_hash_and_no_other(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash("correct horse")
    assert await hasher.verify("correct horse", hashed)
    assert not await hasher.verify("Correct horse", hashed)


async def test_without_a_hash_no_password_is_right(hasher: PasswordHasher) -> None:
    assert not await hasher.verify("correct horse", None)
    assert not await hasher.verify("", None)


@pytest.mark.parametrize("parameters", [CHEAP, DEFAULT], ids=["cheap", "default"])
async def test_without_a_hash_the_cost_is_that_of_a_wrong_password(parameters: Parameters) -> None:
    class Counting(Argon2PasswordHasher):
        async def hash(self, password: str) -> PasswordHash:  # noqa: ARG002 the port's signature
            raise AssertionError("this takes as long again")

    hasher = Counting(parameters)
    # A decoy with other parameters would take another time; an invalid hash would take none.
    decoy = hasher._decoy  # pyright: ignore[reportPrivateUsage] its cost is the property, and no clock measures it
    assert extract_parameters(decoy.encoded) == parameters
    assert not await hasher.verify("", None)
    assert not await hasher.verify("correct horse", PasswordHash("$2b$12$c2FsdHNhbHRzYWx0c2FsdA"))


async def test_each_verification_is_one_of_argon2_whether_there_is_a_hash_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, verified = Argon2PasswordHasher(CHEAP), list[bytes]()
    known = await hasher.hash("correct horse")
    verify = low_level.verify_secret

    def counting(encoded: bytes, secret: bytes, kind: Type) -> bool:
        # What is not of argon2 is refused without its cost.
        if encoded.startswith(b"$argon2id$"):
            verified.append(secret)
        return verify(encoded, secret, kind)

    monkeypatch.setattr("argon2._password_hasher.verify_secret", counting)
    for hashed, password in ((known, "correct horse"), (known, "guessed"), (None, "guessed"), (PasswordHash("$2b$12$c2FsdA"), "guessed")):
        verified.clear()
        assert await hasher.verify(password, hashed) is (password == "correct horse")
        assert verified == [password.encode()]


SALT, DIGEST = "c29tZXNhbHRzb21lc2FsdA", "A" * 43
# The last of a salt has spare bits, which argon2 refuses.
UNUSABLE = [
    "$2b$12$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2id$v=19",
    f"$argon2id$v=19$m=64,t=1,p=1$AAAA${DIGEST}",
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAA",
    f"$argon2id$v=19$m=64,t=1,p=1$!!!!${DIGEST}",
    f"$argon2id$v=19$m=64,t=1,p=1${SALT[:-1]}B${DIGEST}",
    f"$argon2id$v=19$m=0,t=0,p=0${SALT}${DIGEST}",
    f"$argon2id$v=19$m=8,t=1,p=2${SALT}${DIGEST}",
    f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${DIGEST}",
    f"$argon2id$v=19$m=64,t=4294967295,p=1${SALT}${DIGEST}",
    f"$argon2id$v=99$m=64,t=1,p=1${SALT}${DIGEST}",
]


@pytest.mark.parametrize("hashed", UNUSABLE)
async def test_a_hash_that_cannot_be_verified_is_refused_and_where_it_is_stored_no_password_is_right(
    hashed: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(PasswordHash.parse(hashed), Err)
    assert not await Argon2PasswordHasher(CHEAP).verify("correct horse", PasswordHash(hashed))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("kind", Type)
async def test_a_hash_that_can_be_verified_is_accepted(kind: Type) -> None:
    hashed = low_level.hash_secret(b"correct horse", b"somesalt", 1, 8, 1, 16, kind).decode()
    assert PasswordHash.parse(hashed) == Ok(PasswordHash(hashed))
    assert await Argon2PasswordHasher(CHEAP).verify("correct horse", PasswordHash(hashed))


async def test_any_text_can_be_verified() -> None:
    hasher = Argon2PasswordHasher(CHEAP)
    assert not await hasher.verify("a lone surrogate: \ud800", await hasher.hash("correct horse"))


async def test_a_new_hash_is_not_outdated(hasher: PasswordHasher) -> None:
    assert not hasher.is_outdated(await hasher.hash("correct horse"))


async def test_the_service_hashes_by_argon2id() -> None:
    assert parameters(memory_kib=65_536, passes=3, lanes=4) == DEFAULT
    assert (await Argon2PasswordHasher().hash("correct horse")).encoded.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_hash_is_outdated_once_the_parameters_change() -> None:
    hashed = await Argon2PasswordHasher(CHEAP).hash("correct horse")
    assert Argon2PasswordHasher().is_outdated(hashed)
    assert await Argon2PasswordHasher().verify("correct horse", hashed)


async def test_two_hashes_of_one_password_differ() -> None:
    hasher = Argon2PasswordHasher(CHEAP)
    assert await hasher.hash("correct horse") != await hasher.hash("correct horse")


async def test_hashing_does_not_block_the_event_loop() -> None:
    hashing = asyncio.create_task(Argon2PasswordHasher().hash("correct horse"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    # Hashing on the event loop would allow only one or two iterations.
    assert turns > 10
