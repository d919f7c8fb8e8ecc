"""The audit log has what was rolled back, and who read what of others."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from psycopg import AsyncConnection

from shop.application.authorisation import NotAllowed
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context
from shop.application.reads.guarded import GuardedReads
from shop.application.reads.query_service import QueryService
from shop.application.transactions.failures import StoreDefect, TooMuchContention, TransactionConflict, Unavailable
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.trail import AuditTrail
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile, Role
from shop.domain.values import EmailAddress, InvalidValue, Password, PersonName, UserId
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.reads.repositories import read_repositories
from shop.infrastructure.postgres.transactions.repositories import PostgresRepositories
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
CLERK = Context(Actor.user(UserId(uuid.UUID(int=7)), Role.CLERK), "http 192.0.2.7 curl/8")


async def entries(conn: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    cur = await conn.execute("SELECT action, subject, outcome::text, metadata ->> 'reason', origin FROM audit_log ORDER BY id")
    return await cur.fetchall()


@pytest.mark.parametrize(
    ("raised", "reason"),
    [(TransactionConflict("conflict"), "TooMuchContention"), (StoreDefect("defect"), "StoreDefect"), (ValueError("bug"), "ValueError")],
    ids=["conflicts", "a defect of the schema", "a defect of the program"],
)
async def test_what_was_rolled_back_leaves_an_entry(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher, raised: Exception, reason: str
) -> None:
    transactions = Transactions(units_of_work(pool), retries=Retries(attempts=2, first_wait=0.001))
    added = await UserCommands(transactions, cheap_hasher).register(CLERK, ADA, Password("correct horse"))
    assert isinstance(added, Ok)

    async def work(operation: Operation[PostgresRepositories]) -> Result[None, Exception]:
        await operation.repositories.users.delete(added.value)
        await operation.done("user:1")
        raise raised

    if isinstance(raised, TransactionConflict):
        assert await transactions.run(CLERK, "user.delete", work) == Err(TooMuchContention(2))
    else:
        with pytest.raises(type(raised)):
            await transactions.run(CLERK, "user.delete", work)
    assert (await entries(conn))[1:] == [("user.delete", "user:1", "failed", reason, "http 192.0.2.7 curl/8")]
    assert await (await conn.execute("SELECT count(*) FROM users")).fetchone() == (1,)


async def test_reads_of_other_people_s_data_are_recorded_and_own_ones_are_not(
    pool: Pool, conn: Connection, cheap_hasher: PasswordHasher
) -> None:
    begin = units_of_work(pool)
    added = await UserCommands(Transactions(begin), cheap_hasher).register(CLERK, ADA, Password("correct horse"))
    assert isinstance(added, Ok)
    user = added.value.id

    def reads(actor: Actor) -> GuardedReads:
        return GuardedReads(QueryService(read_repositories(pool)), AuditTrail(begin), Context(actor, "http 192.0.2.7"))

    assert isinstance(await reads(Actor.user(user)).user(user), Ok)
    assert isinstance(await reads(Actor.user(user)).order_history(user, 10, None), Ok)
    assert len(await entries(conn)) == 1
    assert isinstance(await reads(CLERK.actor).user(user), Ok)
    assert isinstance(await reads(CLERK.actor).users(10, None), Ok)
    assert isinstance(await reads(Actor.user(UserId(uuid.UUID(int=8)))).user(user), Err)
    assert isinstance(await reads(Actor.admin("root")).audit_entries(f"user:{user}", 10, None), Ok)
    assert [entry[:4] for entry in (await entries(conn))[1:]] == [
        ("user.show", f"user:{user}", "done", None),
        ("user.list", "users", "done", None),
        ("user.show", f"user:{user}", "refused", NotAllowed.__name__),
        ("audit.read", "audit_log", "done", None),
    ]


async def test_a_question_about_the_log_leaves_no_text_of_who_asks_in_it(pool: Pool, conn: Connection) -> None:
    user, message_id = uuid.uuid4(), uuid.uuid4()
    for actor in (Actor.admin("root"), Actor.user(UserId(user))):
        reads = GuardedReads(QueryService(read_repositories(pool)), AuditTrail(units_of_work(pool)), Context(actor, "cli"))
        for text in (
            "My name is Ada",
            "user:ada",
            f"ada:{user}",
            f"user:{user} Ada",
            f"USER:{user}",
            "login:ada",
            "consumer:My name",
            "",
            "seeds:x",
        ):
            refused = await reads.audit_entries(text, 10, None)
            assert isinstance(refused, Err)
            assert isinstance(refused.error, InvalidValue)
        assert await entries(conn) == []
    reads = GuardedReads(QueryService(read_repositories(pool)), AuditTrail(units_of_work(pool)), Context(Actor.admin("root"), "cli"))
    login = f"login:{'0f' * 32}"
    for text in (f"user:{user}", login, "consumer:ada-lovelace", "projections:sales", "seeds:1", "users"):
        assert isinstance(await reads.audit_entries(text, 10, None), Ok)
    assert isinstance(await reads.dead_letter("my name is ada", message_id), Err)
    metadata = await (await conn.execute("SELECT metadata FROM audit_log ORDER BY id")).fetchall()
    read = [f"user:{user}", login, "consumer", "projections", "seeds", "users"]
    assert [each for (each,) in metadata] == [*({"read": text} for text in read), {}]


async def test_what_cannot_be_recorded_is_not_shown(pool: Pool, conn: Connection) -> None:
    async with conn.transaction():
        # Neither read nor written by the query itself.
        await conn.execute("LOCK TABLE audit_log IN SHARE MODE")
        reads = GuardedReads(QueryService(read_repositories(pool)), AuditTrail(units_of_work(pool)), CLERK)
        read = await reads.users(10, None)
    assert isinstance(read, Err)
    assert isinstance(read.error, Unavailable)


async def test_what_was_deleted_is_described_without_personal_data(pool: Pool, conn: Connection, cheap_hasher: PasswordHasher) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    added = await users.register(CLERK, ADA, Password("correct horse"))
    assert isinstance(added, Ok)
    assert await users.delete(Context(Actor.admin("root"), "cli"), added.value.id) == Ok(None)
    cur = await conn.execute("SELECT metadata FROM audit_log WHERE action = 'user.delete'")
    registered = added.value.created_at.isoformat()
    assert await cur.fetchall() == [({"registered": registered, "version": "1", "role": "customer"},)]
