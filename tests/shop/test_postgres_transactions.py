"""Transactions on a real server: concurrency, lost connections, a server that dies during a commit, an exhausted pool."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, errors

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.seed_data import SeedBatch, generate
from shop.application.commands.seeds import SeedCommands
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context, Once
from shop.application.transactions.failures import (
    OutcomeUnknown,
    StoreDefect,
    StoreLost,
    TooMuchContention,
    TransactionConflict,
    Unavailable,
)
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.unit_of_work import UnitOfWork
from shop.domain.events import Event, UserRegistered
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderStatus, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserNotFound
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName, UserId
from shop.infrastructure.postgres.errors import EXPECTED, WAIVED
from shop.infrastructure.postgres.pool import Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.transactions.unit_of_work import Isolation, units_of_work
from shop_db import constraints, enums

from .ports import Repositories

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
LINE = OrderLine("BOOK-1", "A book", 2, Money(12_50, Currency.EUR))
CONTEXT = Context(Actor.admin("test"), "pytest")


async def add(uow: UnitOfWork[Repositories] | Operation[Repositories], profile: Profile) -> User:
    added = await uow.repositories.users.add(NewUser(profile, HASH))
    assert isinstance(added, Ok)
    return added.value


async def count(conn: AsyncConnection[Any], what: str) -> int:
    row = await (await conn.execute(f"SELECT count(*) FROM {what}".encode())).fetchone()
    assert row is not None
    return int(row[0])


async def until(conn: AsyncConnection[Any], condition: str) -> None:
    async with asyncio.timeout(30):
        while await (await conn.execute(f"SELECT {condition}".encode())).fetchone() != (True,):
            pass


@pytest.fixture
def transactions(pool: Pool) -> Transactions[Repositories]:
    """The runner of use cases on the test's database."""
    return Transactions(units_of_work(pool), retries=Retries(attempts=50, first_wait=0.001, longest_wait=0.02))


@pytest_asyncio.fixture
async def order(transactions: Transactions[Repositories]) -> Order:
    """A placed order."""

    async def work(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await operation.done("user")
        return Ok(user)

    user = await transactions.run(CONTEXT, "test", work)
    assert isinstance(user, Ok)
    placed = await OrderCommands(transactions).place(CONTEXT, NewOrder(user.value.id, (LINE,)))
    assert isinstance(placed, Ok)
    return placed.value


# --- Rivals -------------------------------------------------------------------------------------------------------------


async def test_concurrent_registrations_of_one_address_create_one_user(
    transactions: Transactions[Repositories], cheap_hasher: PasswordHasher, conn: AsyncConnection[Any]
) -> None:
    users = UserCommands(transactions, cheap_hasher)
    results = await asyncio.gather(*(users.register(CONTEXT, ADA, Password("correct horse")) for _ in range(20)))
    assert sum(isinstance(result, Ok) for result in results) == 1
    assert [result for result in results if isinstance(result, Err)] == [Err(EmailTaken(ADA.email))] * 19
    assert (await count(conn, "users"), await count(conn, "outbox"), await count(conn, "audit_log")) == (1, 1, 20)


async def test_concurrent_payments_of_one_order_pay_it_once(
    transactions: Transactions[Repositories], order: Order, conn: AsyncConnection[Any]
) -> None:
    orders = OrderCommands(transactions)
    results = await asyncio.gather(*(orders.pay(CONTEXT, order.id) for _ in range(20)))
    refused = Err(WrongStatus(order.id, OrderStatus.PAID, OrderStatus.PAID))
    assert sorted(result == refused for result in results) == [False] + [True] * 19
    assert await count(conn, "outbox WHERE event_type = 'OrderPaid'") == 1


async def test_a_serialization_failure_is_retried(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    begin = units_of_work(pool, Isolation.SERIALIZABLE)
    transactions = Transactions(begin, retries=Retries(attempts=50, first_wait=0.001, longest_wait=0.02))
    barrier = asyncio.Barrier(2)
    attempts = 0

    # Write skew: each checks that the other user does not exist, and adds its own.
    async def work(operation: Operation[Repositories], profile: Profile, other: Profile) -> Result[bool, None]:
        nonlocal attempts
        attempts += 1
        alone = isinstance(await operation.repositories.users.get_by_email(other.email), Err)
        if attempts <= 2:
            await barrier.wait()
        if alone:
            await add(operation, profile)
        await operation.done("user")
        return Ok(alone)

    with caplog.at_level(logging.INFO, "shop.transactions"):
        results = await asyncio.gather(
            transactions.run(CONTEXT, "skew", lambda operation: work(operation, ADA, GRACE)),
            transactions.run(CONTEXT, "skew", lambda operation: work(operation, GRACE, ADA)),
        )
    assert sorted(isinstance(result, Ok) and result.value for result in results) == [False, True]
    assert attempts > 2
    assert "serialization failure" in caplog.text


async def test_a_deadlock_is_retried(transactions: Transactions[Repositories], order: Order, conn: AsyncConnection[Any]) -> None:
    async def place(operation: Operation[Repositories]) -> Result[Order, UserNotFound]:
        placed = await operation.repositories.orders.add(NewOrder(order.user_id, (LINE,)))
        await operation.done("order")
        return placed

    placed = await transactions.run(CONTEXT, "place", place)
    assert isinstance(placed, Ok)
    barrier = asyncio.Barrier(2)
    attempts = 0

    async def pay_both(operation: Operation[Repositories], first: Order, second: Order) -> Result[None, None]:
        nonlocal attempts
        attempts += 1
        together = attempts <= 2
        for target in (first, second):
            read = await operation.repositories.orders.get(target.id)
            assert isinstance(read, Ok)
            if isinstance(moved := read.value.pay(), Ok):
                await operation.repositories.orders.save_status(moved.value)
            if together and target is first:
                await barrier.wait()
        await operation.done("orders")
        return Ok(None)

    results = await asyncio.gather(
        transactions.run(CONTEXT, "pay both", lambda operation: pay_both(operation, order, placed.value)),
        transactions.run(CONTEXT, "pay both", lambda operation: pay_both(operation, placed.value, order)),
    )
    assert list(results) == [Ok(None), Ok(None)]
    assert attempts > 2
    assert await count(conn, "orders WHERE status = 'paid' AND version = 2") == 2


# --- Lost connections ---------------------------------------------------------------------------------------------------


async def test_a_connection_killed_before_the_commit_is_an_outcome_and_writes_nothing(
    transactions: Transactions[Repositories], conn: AsyncConnection[Any]
) -> None:
    async def work(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'shop' AND xact_start IS NOT NULL"
        )
        await operation.done("user")
        return Ok(user)

    result = await transactions.run(CONTEXT, "test", work)
    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert await count(conn, "users") == 0

    async def again(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await operation.done("user")
        return Ok(user)

    assert isinstance(await transactions.run(CONTEXT, "test", again), Ok)


@pytest_asyncio.fixture
async def slow_commit(conn: AsyncConnection[Any]) -> AsyncIterator[AsyncConnection[Any]]:
    """Delay every commit that registers a user, until this connection releases an advisory lock."""
    await conn.execute("""
        CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(1);
            RETURN NULL;
        END
        $$
    """)
    await conn.execute("""
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_in_commit()
    """)
    await conn.execute("SELECT pg_advisory_lock(1)")
    yield conn
    await conn.execute("SELECT pg_advisory_unlock_all()")


IN_COMMIT = "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'shop' AND query = 'COMMIT' AND wait_event = 'advisory')"


async def test_a_connection_killed_during_the_commit_leaves_the_outcome_unknown(
    pool: Pool, transactions: Transactions[Repositories], slow_commit: AsyncConnection[Any]
) -> None:
    async def work(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await operation.done("user")
        return Ok(user)

    running = asyncio.create_task(transactions.run(CONTEXT, "user.register", work))
    await until(slow_commit, IN_COMMIT)
    await slow_commit.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'shop' AND query = 'COMMIT'"
    )
    assert await running == Err(OutcomeUnknown("user.register"))


async def test_a_request_with_a_key_finds_out_about_a_commit_whose_connection_was_killed(
    transactions: Transactions[Repositories], cheap_hasher: PasswordHasher, slow_commit: AsyncConnection[Any]
) -> None:
    once = Once("1", b"", lambda user: str(user.id).encode())
    running = asyncio.create_task(
        UserCommands(transactions, cheap_hasher).register(Context(CONTEXT.actor, "pytest", once=once), ADA, Password("correct horse"))
    )
    await until(slow_commit, IN_COMMIT)
    await slow_commit.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query = 'COMMIT'")
    await slow_commit.execute("SELECT pg_advisory_unlock_all()")
    assert isinstance(await running, Ok)
    assert [await count(slow_commit, table) for table in ("users", "answers", "outbox")] == [1, 1, 1]


async def test_a_commit_refused_by_the_server_is_not_unknown(pool: Pool, slow_commit: AsyncConnection[Any]) -> None:
    async def register() -> None:
        async with units_of_work(pool)() as uow:
            await add(uow, ADA)
            await uow.commit()

    running = asyncio.create_task(register())
    await until(slow_commit, IN_COMMIT)
    # Cancels the statement and not the connection: the transaction is rolled back, and the server reports it.
    await slow_commit.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'shop' AND query = 'COMMIT'")
    with pytest.raises(StoreLost):
        await running
    assert await count(slow_commit, "users") == 0


async def test_a_suppressed_error_is_detected_by_the_commit(pool: Pool) -> None:
    async def swallow() -> None:
        async with units_of_work(pool)() as uow:
            with suppress(errors.StringDataRightTruncation):
                await uow.outbox.add(UserRegistered(UserId(uuid.UUID(int=1))), "longer than any trace " * 10)
            await uow.commit()

    with pytest.raises(StoreDefect, match="a statement failed, so nothing can be committed"):
        await swallow()


async def test_an_exhausted_pool_is_an_outcome(database_url: str) -> None:
    async with open_pool(database_url, PoolOptions(max_size=1, wait_timeout=0.2)) as pool:
        await pool.wait(300)
        transactions = Transactions(units_of_work(pool))

        async def work(operation: Operation[Repositories]) -> Result[object, None]:
            return Ok(await transactions.run(CONTEXT, "inner", lambda inner: inner.repositories.users.get(UserId(uuid.UUID(int=1)))))

        inner = await transactions.run(CONTEXT, "outer", work)
        assert inner == Ok(Err(Unavailable("all connections are in use, or none can be established")))


async def test_a_statement_timeout_is_an_outcome(database_url: str, order: Order, conn: AsyncConnection[Any]) -> None:
    async with open_pool(database_url, PoolOptions(statement_timeout=0.2, lock_timeout=30)) as pool, conn.transaction():
        await conn.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order.id])
        result = await OrderCommands(Transactions(units_of_work(pool))).pay(CONTEXT, order.id)
        assert result == Err(Unavailable("query canceled (SQLSTATE 57014)"))


# --- Locks and deadlines ------------------------------------------------------------------------------------------------


async def test_a_locked_row_is_waited_for_once_and_does_not_block_other_work(
    database_url: str, order: Order, conn: AsyncConnection[Any]
) -> None:
    async with open_pool(database_url, PoolOptions(max_size=2, lock_timeout=0.1)) as pool, conn.transaction():
        transactions = Transactions(units_of_work(pool))
        await conn.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order.id])
        payments = [OrderCommands(transactions).pay(CONTEXT, order.id) for _ in range(6)]
        *paid, placed = await asyncio.gather(*payments, OrderCommands(transactions).place(CONTEXT, NewOrder(order.user_id, (LINE,))))
        assert paid == [Err(TooMuchContention(1))] * 6
        assert isinstance(placed, Ok)


async def test_no_connection_is_held_between_two_attempts(database_url: str) -> None:
    async with open_pool(database_url, PoolOptions(min_size=1, max_size=1)) as pool:
        available: list[int] = []

        async def sleep(_seconds: float) -> None:
            available.append(pool.get_stats()["pool_available"])

        async def work(operation: Operation[Repositories]) -> Result[None, None]:
            await add(operation, ADA)
            raise TransactionConflict("a rival")

        transactions = Transactions(units_of_work(pool), retries=Retries(attempts=3), sleep=sleep)
        assert await transactions.run(CONTEXT, "test", work) == Err(TooMuchContention(3))
        assert available == [1, 1]


async def test_all_attempts_together_have_a_deadline(pool: Pool, database_url: str, order: Order, conn: AsyncConnection[Any]) -> None:
    async def lose(operation: Operation[Repositories]) -> Result[None, None]:
        await operation.repositories.users.get(order.user_id)
        raise TransactionConflict("a rival")

    async def pay(operation: Operation[Repositories]) -> Result[Order, Any]:
        paid = order.pay()
        assert isinstance(paid, Ok)
        return await operation.repositories.orders.save_status(paid.value)

    late = Err(Unavailable("test was not done within 0.3 s"))
    transactions = Transactions(units_of_work(pool), retries=Retries(attempts=10**9, longest_wait=0.01, deadline=0.3))
    assert await transactions.run(CONTEXT, "test", lose) == late
    async with open_pool(database_url, PoolOptions(lock_timeout=30)) as patient, conn.transaction():
        await conn.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order.id])
        transactions = Transactions(units_of_work(patient), retries=Retries(deadline=0.3))
        assert await transactions.run(CONTEXT, "test", pay) == late


async def test_a_deadline_interrupts_no_commit(database_url: str, slow_commit: AsyncConnection[Any]) -> None:
    async def register(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await operation.done("user")
        return Ok(user)

    async with open_pool(database_url, PoolOptions(lock_timeout=30)) as pool:
        await pool.wait(300)
        transactions = Transactions(units_of_work(pool), retries=Retries(deadline=0.5))
        running = asyncio.create_task(transactions.run(CONTEXT, "user.register", register))
        while await (await slow_commit.execute(f"SELECT {IN_COMMIT}".encode())).fetchone() != (True,):
            if running.done():
                # On a busy machine the deadline may pass before the commit begins; then it is rolled back, and tried again.
                running = asyncio.create_task(transactions.run(CONTEXT, "user.register", register))
        done, _ = await asyncio.wait([running], timeout=0.6)
        assert not done
        await slow_commit.execute("SELECT pg_advisory_unlock_all()")
        assert isinstance(await running, Ok)


async def test_work_that_lifts_its_deadline_has_none(pool: Pool) -> None:
    lifted = False

    async def work(operation: Operation[Repositories]) -> Result[None, None]:
        nonlocal lifted
        operation.lift_deadline()
        lifted = True
        await asyncio.sleep(0.2)
        return Ok(None)

    result: object = None
    while not lifted:
        # On a busy machine the deadline may pass before the work begins.
        result = await Transactions(units_of_work(pool), retries=Retries(deadline=0.1)).run(CONTEXT, "test", work)
    assert result == Ok(None)


# --- Cancellation -------------------------------------------------------------------------------------------------------


async def test_a_cancelled_copy_is_a_cancellation_and_no_outage(
    transactions: Transactions[Repositories], conn: AsyncConnection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    # More data than the socket's buffers can hold while the server waits at the first row.
    batches = list(generate(1, 5000, HASH))
    users = tuple(user for batch in batches for user in batch.users)
    await conn.execute("""
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(1);
            RETURN NEW;
        END
        $$
    """)
    await conn.execute("CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION wait()")
    await conn.execute("SELECT pg_advisory_lock(1)")
    running = asyncio.create_task(SeedCommands(transactions).write(CONTEXT, 1, SeedBatch(users, ())))
    await until(conn, "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'advisory')")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await count(conn, "users") == 0
    assert "unavailable" not in caplog.text


@pytest.mark.parametrize("is_killed", [False, True])
async def test_events_that_may_be_committed_are_reported_also_after_a_cancellation(
    pool: Pool, slow_commit: AsyncConnection[Any], is_killed: bool
) -> None:
    reported: list[Event] = []
    ended = asyncio.Event()

    async def after_commit(events: Sequence[Event]) -> None:
        # The connection is returned to the pool before the report: the pool has two connections, and lends both.
        async with pool.connection(), pool.connection():
            reported.extend(events)
        ended.set()

    async def register(operation: Operation[Repositories]) -> Result[User, None]:
        user = await add(operation, ADA)
        await operation.done("user")
        return Ok(user)

    transactions = Transactions(units_of_work(pool), after_commit=after_commit)
    running = asyncio.create_task(transactions.run(CONTEXT, "user.register", register))
    await until(slow_commit, IN_COMMIT)
    running.cancel()
    if is_killed:
        await slow_commit.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT'")
    else:
        await slow_commit.execute("SELECT pg_advisory_unlock_all()")
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
    assert [type(event) for event in reported] == [UserRegistered]
    assert await count(slow_commit, "users") == int(not is_killed)


# --- The order's states, in the database --------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["pay", "ship", "cancel"]), max_size=6))
async def test_any_sequence_of_transitions_has_the_result_of_the_domain(
    transactions: Transactions[Repositories], order: Order, conn: AsyncConnection[Any], moves: list[str]
) -> None:
    commands = OrderCommands(transactions)
    placed = await commands.place(CONTEXT, NewOrder(order.user_id, (LINE,)))
    assert isinstance(placed, Ok)
    expected = placed.value
    done = 0
    for move in moves:
        wanted: Result[Order, WrongStatus] = getattr(expected, move)()
        result = await getattr(commands, move)(CONTEXT, placed.value.id)
        if isinstance(wanted, Ok):
            expected, done = wanted.value, done + 1
            assert isinstance(result, Ok)
        else:
            assert result == wanted
    cur = await conn.execute("SELECT status, version FROM orders WHERE id = %s", [expected.id])
    assert await cur.fetchone() == (expected.status.value, done + 1)
    # One event and one audit entry for each transition, and only an entry for each refused one.
    assert await count(conn, f"outbox WHERE aggregate = 'order:{expected.id}'") == done + 1
    assert await count(conn, f"audit_log WHERE subject = 'order:{expected.id}'") == len(moves) + 1


def test_the_database_and_the_domain_have_the_same_statuses() -> None:
    assert [status.value for status in enums.OrderStatus] == [status.value for status in OrderStatus]


# --- Constraints --------------------------------------------------------------------------------------------------------


def test_every_constraint_is_either_an_outcome_or_waived_with_a_reason() -> None:
    # `sqlwright check` compares the generated names with the migrations.
    classes = [each for each in vars(constraints).values() if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum]
    assert {name for each in classes for name in each} == EXPECTED | WAIVED.keys()
    assert not EXPECTED & WAIVED.keys()


# --- The audit log ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
async def test_not_even_its_owner_can_change_the_audit_log(order: Order, conn: AsyncConnection[Any], statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="audit_log is append-only"):
        await conn.execute(statement.encode())
    assert await count(conn, "audit_log") == 2


# --- The log of queries -------------------------------------------------------------------------------------------------


async def test_each_query_is_logged_by_name_and_duration_without_parameters(
    pool: Pool, cheap_hasher: PasswordHasher, caplog: pytest.LogCaptureFixture, new_database: Callable[[str], str]
) -> None:
    with caplog.at_level(logging.DEBUG, "shop.queries"):
        await UserCommands(Transactions(units_of_work(pool)), cheap_hasher).register(CONTEXT, ADA, Password("correct horse"))
    logged = [vars(record) for record in caplog.records if record.name == "shop.queries"]
    names = ["users.get_user_by_email", "users.create_user", "audit.append_audit_entry", "outbox.add_to_outbox"]
    assert [line["query"] for line in logged] == names
    assert all(line["ms"] > 0 for line in logged)
    assert "ada@example.org" not in str(logged)
