"""Requests that are carried out once: under rivals, lost connections and unknown commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection

from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.pruning import MessagePruning, Pruned, Pruning
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context, Once
from shop.application.transactions.answers import AlreadyAnswered, KeyInUse, KeyReused
from shop.application.transactions.failures import CommitOutcomeUnknown, OutcomeUnknown, StoreLost
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.unit_of_work import BeginUnitOfWork, UnitOfWork
from shop.domain.events import Event, UserRegistered
from shop.domain.result import Err, Ok
from shop.domain.users import EmailTaken, Profile, User
from shop.domain.values import EmailAddress, Password, PersonName
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.unit_of_work import Isolation, units_of_work

from .memory.store import MemoryStore
from .ports import Repositories

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
PASSWORD = Password("correct horse")
ACTOR = Actor.system("test")


def answer(user: User) -> bytes:
    return str(user.id).encode()


def under(key: str, fingerprint: bytes = b"ada", actor: Actor = ACTOR) -> Context:
    return Context(actor, "pytest", once=Once(key, fingerprint, answer))


@pytest.fixture
def users(begin: BeginUnitOfWork[Repositories], cheap_hasher: PasswordHasher) -> UserCommands:
    """The use cases of users, on units of work of either kind."""
    return UserCommands(Transactions(begin, retries=Retries(attempts=50, first_wait=0.001, longest_wait=0.01)), cheap_hasher)


async def test_a_repeated_request_is_answered_without_being_carried_out(users: UserCommands) -> None:
    first = await users.register(under("1"), ADA, PASSWORD)
    assert isinstance(first, Ok)
    assert await users.register(under("1"), ADA, PASSWORD) == Err(AlreadyAnswered(answer(first.value)))
    # Under no key, and under another one, it is another request.
    assert await users.register(Context(ACTOR, "pytest"), ADA, PASSWORD) == Err(EmailTaken(ADA.email))
    assert await users.register(under("2"), ADA, PASSWORD) == Err(EmailTaken(ADA.email))


async def test_another_request_under_the_same_key_is_refused_and_another_actor_has_keys_of_its_own(users: UserCommands) -> None:
    assert isinstance(await users.register(under("1"), ADA, PASSWORD), Ok)
    assert await users.register(under("1", b"grace"), GRACE, PASSWORD) == Err(KeyReused("1"))
    assert isinstance(await users.register(under("1", b"grace", Actor.anonymous()), GRACE, PASSWORD), Ok)


async def test_a_refused_request_is_judged_again(users: UserCommands) -> None:
    taken = await users.register(Context(ACTOR, "pytest"), ADA, PASSWORD)
    assert isinstance(taken, Ok)
    assert await users.register(under("1"), ADA, PASSWORD) == Err(EmailTaken(ADA.email))
    assert await users.delete(Context(ACTOR, "pytest"), taken.value.id) == Ok(None)
    assert isinstance(await users.register(under("1"), ADA, PASSWORD), Ok)


async def test_a_password_is_changed_once_and_the_repetition_is_no_attempt_to_log_in(users: UserCommands) -> None:
    registered = await users.register(Context(ACTOR, "pytest"), ADA, PASSWORD)
    assert isinstance(registered, Ok)
    context = Context(ACTOR, "pytest", once=Once("1", b"", lambda _: b"changed"))
    new = Password("battery staple")
    assert await users.change_password(context, registered.value.id, PASSWORD.text, new) == Ok(None)
    for _ in range(20):
        assert await users.change_password(context, registered.value.id, PASSWORD.text, new) == Err(AlreadyAnswered(b"changed"))
    assert isinstance(await users.authenticate(Context(ACTOR, "pytest"), ADA.email, "battery staple"), Ok)


@pytest.mark.parametrize("isolation", Isolation)
async def test_of_concurrent_requests_under_one_key_one_is_carried_out(
    pool: Pool, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher, isolation: Isolation
) -> None:
    users = UserCommands(Transactions(units_of_work(pool, isolation), retries=Retries(attempts=50, first_wait=0.001)), cheap_hasher)
    results = await asyncio.gather(*(users.register(under("1"), ADA, PASSWORD) for _ in range(20)))
    done = [result.value for result in results if isinstance(result, Ok)]
    assert len(done) == 1
    answers = {Err(AlreadyAnswered(answer(done[0]))), Err(KeyInUse("1"))}
    assert {result for result in results if isinstance(result, Err)} <= answers
    counted = await (
        await conn.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM answers), (SELECT count(*) FROM outbox)")
    ).fetchone()
    assert counted == (1, 1, 1)


async def test_old_answers_are_pruned(begin: BeginUnitOfWork[Repositories], users: UserCommands) -> None:
    assert isinstance(await users.register(under("1"), ADA, PASSWORD), Ok)
    week, transactions = timedelta(days=7), Transactions(begin)
    assert await MessagePruning(transactions, week, week).prune(Context(ACTOR, "pytest")) == Pruning(Pruned(), [])
    assert await MessagePruning(transactions, week, timedelta(0)).prune(Context(ACTOR, "pytest")) == Pruning(Pruned(answers=1), [])
    assert await users.register(under("1"), ADA, PASSWORD) == Err(EmailTaken(ADA.email))


# --- Unknown commits ----------------------------------------------------------------------------------------------------


class Broken:
    """Units of work whose commits break: before or after they are carried out; and then no more can be begun, or they can."""

    def __init__(self, store: MemoryStore, *, is_committed: bool, is_lost: bool = False) -> None:
        self._store = store
        self._is_committed = is_committed
        self._is_lost = is_lost
        self._has_broken = False

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork[Repositories]]:
        if self._has_broken and self._is_lost:
            raise StoreLost("the database is gone")
        async with self._store.begin() as uow:
            commit = uow.commit

            async def broken() -> None:
                if self._has_broken:
                    await commit()
                    return
                self._has_broken = True
                if self._is_committed:
                    await commit()
                raise CommitOutcomeUnknown("the connection broke during the commit")

            uow.commit = broken  # type: ignore[method-assign]
            yield uow


@pytest.mark.parametrize("is_committed", [False, True])
async def test_an_unknown_commit_is_found_out_under_a_key(cheap_hasher: PasswordHasher, is_committed: bool) -> None:
    store = MemoryStore()
    users = UserCommands(Transactions(Broken(store, is_committed=is_committed).begin), cheap_hasher)
    result = await users.register(under("1"), ADA, PASSWORD)
    (user,) = store.state.users.values()
    assert result == (Err(AlreadyAnswered(answer(user))) if is_committed else Ok(user))


@pytest.mark.parametrize("is_committed", [False, True])
async def test_an_unknown_commit_stays_unknown_if_the_database_is_lost_then(cheap_hasher: PasswordHasher, is_committed: bool) -> None:
    store = MemoryStore()
    users = UserCommands(Transactions(Broken(store, is_committed=is_committed, is_lost=True).begin), cheap_hasher)
    assert await users.register(under("1"), ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))
    # The client sends it again, when the database is back.
    again = await UserCommands(Transactions(store.begin), cheap_hasher).register(under("1"), ADA, PASSWORD)
    (user,) = store.state.users.values()
    assert again == (Err(AlreadyAnswered(answer(user))) if is_committed else Ok(user))


async def test_what_an_unknown_commit_changed_is_invalidated_again_when_its_answer_is_found(cheap_hasher: PasswordHasher) -> None:
    # It may have been carried out after the first invalidation, and a reader may have cached the old value in between.
    store = MemoryStore()
    invalidated: list[Sequence[Event]] = []

    async def after_commit(events: Sequence[Event]) -> None:
        invalidated.append(tuple(events))

    users = UserCommands(Transactions(Broken(store, is_committed=True).begin, after_commit=after_commit), cheap_hasher)
    assert isinstance(await users.register(under("1"), ADA, PASSWORD), Err)
    (user,) = store.state.users.values()
    assert invalidated == [(UserRegistered(user.id),)] * 2


class Late:
    """Units of work whose first commit is carried out while its connection breaks, and whose key stays locked for some attempts."""

    def __init__(self, pool: Pool, holder: AsyncConnection[Any], attempts: int) -> None:
        self._begin = units_of_work(pool)
        self._holder = holder
        self._attempts = attempts
        self._has_broken = False

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork[Repositories]]:
        async with self._begin() as uow:
            commit = uow.commit

            async def broken() -> None:
                await commit()
                if not self._has_broken:
                    self._has_broken = True
                    await self._holder.execute("SELECT pg_advisory_lock(hashtextextended('system:test 1', 0))")
                    raise CommitOutcomeUnknown("the connection broke during the commit")

            uow.commit = broken  # type: ignore[method-assign]
            yield uow

    async def wait(self, seconds: float) -> None:  # noqa: ARG002 - the attempts are counted instead
        """Wait between two attempts."""
        self._attempts -= 1
        if self._attempts == 0:
            await self._holder.execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.parametrize(
    ("attempts", "deadline", "expected"), [(2, 20.0, AlreadyAnswered), (30, 20.0, AlreadyAnswered), (-1, 0.5, OutcomeUnknown)]
)
async def test_a_request_waits_for_its_own_transaction_and_says_that_it_does_not_know(
    pool: Pool, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher, attempts: int, deadline: float, expected: type[object]
) -> None:
    # Not that the key is in use, by which nothing would have been done.
    late = Late(pool, conn, attempts)
    users = UserCommands(Transactions(late.begin, retries=Retries(deadline=deadline), sleep=late.wait), cheap_hasher)
    result = await users.register(under("1"), ADA, PASSWORD)
    assert isinstance(result, Err)
    assert isinstance(result.error, expected)


async def test_a_key_is_in_use_until_a_commit_whose_connection_broke_has_ended(
    pool: Pool, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), cheap_hasher)
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('system:test 1', 0))")
        assert await users.register(under("1"), ADA, PASSWORD) == Err(KeyInUse("1"))
    assert isinstance(await users.register(under("1"), ADA, PASSWORD), Ok)
