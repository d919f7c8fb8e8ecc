"""Synchronous replication whose standby is missing: nothing is acknowledged, however the wait for the standby ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from typer.testing import CliRunner

from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context, Once
from shop.application.messaging.claiming_consumer import ClaimingConsumer
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.messages import Message
from shop.application.messaging.sales import SalesLedger, record_sales
from shop.application.transactions.answers import AlreadyAnswered
from shop.application.transactions.failures import CommitOutcomeUnknown, OutcomeUnknown, StoreLost
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.unit_of_work import UnitOfWork
from shop.cli import app
from shop.cli.output import ExitCode
from shop.domain.events import Event, OrderPaid
from shop.domain.result import Err, Ok
from shop.domain.users import Profile, User
from shop.domain.values import EmailAddress, Password, PersonName
from shop.infrastructure.postgres.administration.owner import owner_transaction
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import DatabaseNotReady, Pool, open_pool
from shop.infrastructure.postgres.transactions.repositories import PostgresRepositories
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from tests.support.servers import ReadyCluster
from tests.support.waiting import wait_until

from .conftest import Dbmate
from .events import ORDER, TOTAL, USER, message
from .replication import Server, running_pair, running_primary

pytestmark = [pytest.mark.long, pytest.mark.programs]

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
PASSWORD = Password("correct horse")
ALONE = "-c synchronous_standby_names=missing"
PAID = OrderPaid(ORDER, USER, TOTAL)
CANCEL, TERMINATE = "pg_cancel_backend", "pg_terminate_backend"


def answer(user: User) -> bytes:
    return str(user.id).encode()


def context(key: str | None = None) -> Context:
    return Context(Actor.system("test"), "pytest", once=None if key is None else Once(key, b"ada", answer))


@pytest.fixture(scope="module")
def migrated(ready_cluster: ReadyCluster, dbmate: Dbmate) -> Iterator[Server]:
    """A migrated server."""
    # The cluster is not used: whoever makes it lets the server's user reach the programs.
    with running_primary() as server:
        dbmate(server.url, "up")
        yield server


@pytest.fixture
def primary(migrated: Server) -> Server:
    """A server without users, answers and messages, and without synchronous replication."""
    restart(migrated, "")
    execute(migrated, "TRUNCATE users, answers, inbox, outbox, daily_sales CASCADE")
    return migrated


@pytest_asyncio.fixture
async def pool(primary: Server) -> AsyncIterator[Pool]:
    """A pool on the server."""
    async with open_pool(primary.url) as pool:
        yield pool


def execute(server: Server, query: str) -> list[Any]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        cur = conn.execute(query.encode())
        return cur.fetchall() if cur.description else []


def restart(server: Server, options: str) -> None:
    """Kill a server, which ends the waits for its standby, and start it with these options."""
    server.kill()
    server.start(options)


@asynccontextmanager
async def ended(server: Server, how: str = CANCEL, most: int = 1_000_000) -> AsyncGenerator[None]:
    """End the first waits for the standby, as an operator does who sees sessions that wait."""

    async def end() -> None:
        async with await AsyncConnection.connect(server.url, autocommit=True) as conn:
            left = most
            while left > 0:
                cur = await conn.execute(f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' LIMIT %s".encode(), [left])
                left -= cur.rowcount
                await asyncio.sleep(0.01)

    ending = asyncio.create_task(end())
    try:
        yield
    finally:
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending


@pytest.mark.parametrize("how", [CANCEL, TERMINATE])
@pytest.mark.parametrize("key", [None, "1"])
async def test_a_commit_whose_wait_is_ended_has_an_unknown_outcome_until_its_answer_is_replicated(
    primary: Server, pool: Pool, cheap_hasher: PasswordHasher, how: str, key: str | None
) -> None:
    restart(primary, ALONE)
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    async with ended(primary, how):
        assert await users.register(context(key), ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))
    [(user_id,)] = execute(primary, "SELECT id FROM users")
    if key is not None:
        restart(primary, "")
        assert await users.register(context(key), ADA, PASSWORD) == Err(AlreadyAnswered(str(user_id).encode()))


async def test_an_answer_that_a_crash_made_visible_is_not_sent(primary: Server, pool: Pool, cheap_hasher: PasswordHasher) -> None:
    restart(primary, ALONE)
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    registering = asyncio.create_task(users.register(context("1"), ADA, PASSWORD))
    async with asyncio.timeout(60):
        while execute(primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == [(0,)]:  # noqa: ASYNC110 the server has no event
            await asyncio.sleep(0.01)
    await asyncio.to_thread(restart, primary, ALONE)
    assert execute(primary, "SELECT count(*) FROM users") == [(1,)]
    async with ended(primary):
        assert await registering == Err(OutcomeUnknown("user.register"))
        assert await users.register(context("1"), ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))


async def test_a_standby_sends_the_answer_that_it_has(ready_cluster: ReadyCluster, dbmate: Dbmate, cheap_hasher: PasswordHasher) -> None:
    with running_pair() as pair:
        dbmate(pair.primary.url, "up")
        async with open_pool(pair.primary.url) as pool:
            registered = await UserCommands(Transactions(units_of_work(pool)), cheap_hasher).register(context("1"), ADA, PASSWORD)
            assert isinstance(registered, Ok)
        wait_until(lambda: execute(pair.standby, "SELECT count(*) FROM answers") == [(1,)], "the standby received nothing")
        async with open_pool(pair.standby.url) as pool:
            repeated = await UserCommands(Transactions(units_of_work(pool)), cheap_hasher).register(context("1"), ADA, PASSWORD)
        assert repeated == Err(AlreadyAnswered(answer(registered.value)))


async def test_a_use_case_finds_out_within_its_deadline(primary: Server, pool: Pool, cheap_hasher: PasswordHasher) -> None:
    restart(primary, ALONE)
    begin, begun = units_of_work(pool), 0

    @asynccontextmanager
    async def counted() -> AsyncGenerator[UnitOfWork[PostgresRepositories]]:
        nonlocal begun
        begun += 1
        async with begin() as uow:
            yield uow

    users = UserCommands(Transactions(counted, retries=Retries(deadline=2.0)), cheap_hasher)
    async with ended(primary, most=1):
        assert await users.register(context("1"), ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))
    # One to look whether the address is free, one to register, one to find out, and that of the audit trail.
    assert begun == 4
    # That it was carried out here is known by now, so it is not said that nothing was written.
    assert await users.register(context("1"), ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))


async def test_an_event_that_may_not_be_replicated_is_not_published(primary: Server, pool: Pool) -> None:
    async with units_of_work(pool)() as uow:
        await uow.outbox.add(PAID, "trace-1")
        await uow.commit()
    restart(primary, ALONE)
    async with ended(primary):
        with pytest.raises(StoreLost):
            async with PostgresPendingMessages(pool).claim(10, 5.0):
                pytest.fail("the event would be published")


class NoEffect:
    """An effect that is not to be carried out."""

    async def prepare(self, event: Event, message: Message, effects: SalesLedger) -> None:  # noqa: ARG002 as the port has them
        pytest.fail("the message was handled before")

    async def carry_out(self, prepared: None) -> None: ...

    async def take_back(self, prepared: None, effects: SalesLedger) -> None: ...


async def test_a_message_is_acknowledged_when_what_settled_it_is_replicated(primary: Server, pool: Pool) -> None:
    inbox: PostgresInbox[SalesLedger] = PostgresInbox(pool, "sales", PostgresSalesLedger)
    handle, claim = IdempotentConsumer(inbox, record_sales), ClaimingConsumer(inbox, NoEffect())
    paid = message(PAID)
    restart(primary, ALONE)
    async with ended(primary):
        # At first it is handled. Then it was handled before.
        for process in (handle, handle, claim):
            with pytest.raises(CommitOutcomeUnknown):
                await process(PAID, paid)
    restart(primary, "")
    assert [await process(PAID, paid) for process in (handle, claim)] == [Verdict.HANDLED] * 2
    assert execute(primary, "SELECT sum(orders) FROM daily_sales") == [(1,)]


@pytest.mark.parametrize(
    ("how", "what"), [(CANCEL, "may not have what was committed"), (TERMINATE, "the connection broke during the commit")]
)
async def test_a_command_of_the_owner_whose_commit_is_ended_has_an_unknown_outcome(primary: Server, how: str, what: str) -> None:
    execute(primary, "COMMENT ON TABLE users IS 'Before.'")
    restart(primary, ALONE)
    async with ended(primary, how):
        with pytest.raises(CommitOutcomeUnknown, match=rf"{what}.*run the command again"):
            async with owner_transaction(primary.url, 60) as conn:
                await conn.execute("COMMENT ON TABLE users IS 'Changed.'")
    assert execute(primary, "SELECT obj_description('users'::regclass)") == [("Changed.",)]


@pytest.mark.parametrize(
    "command", [("database", "maintain"), ("database", "grant", "shop_of_the_test"), ("outbox", "republish", "1"), ("prune",)]
)
def test_a_command_is_done_when_the_standby_has_it_also_if_nothing_is_left_to_do(primary: Server, command: tuple[str, ...]) -> None:
    def status() -> int:
        arguments = ["--set", "use_case_timeout=1", *command]
        return CliRunner().invoke(app, arguments, env={"DATABASE_URL": primary.url}, prog_name="shop").exit_code

    restart(primary, ALONE)
    assert status() == ExitCode.TRY_AGAIN
    # What it changed is visible now, and no lock is held.
    restart(primary, ALONE)
    assert status() == ExitCode.TRY_AGAIN
    restart(primary, "")
    assert status() == ExitCode.DONE


async def test_a_command_of_the_owner_that_takes_too_long_changes_nothing(primary: Server) -> None:
    with pytest.raises(DatabaseNotReady, match=r"^not done within 0\.5 s, so nothing was changed"):
        async with owner_transaction(primary.url, 0.5) as conn:
            await conn.execute("CREATE TABLE late (); SELECT pg_sleep(60)")
    assert execute(primary, "SELECT to_regclass('late')") == [(None,)]
