"""The contract of `LoginAttempts`, for PostgreSQL and in memory, and the limit on logins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import psycopg
import pytest

from shop.application.commands.login_attempts import LoginLimit, TooManyAttempts
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.users import UserCommands, WrongCredentials
from shop.application.context import Actor, Context, Once
from shop.application.transactions.answers import AlreadyAnswered
from shop.application.transactions.failures import Unavailable
from shop.application.transactions.runner import Transactions
from shop.application.transactions.unit_of_work import BeginUnitOfWork, UnitOfWork
from shop.domain.result import Err, Ok
from shop.domain.users import EmailTaken, Profile, User
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work

from .ports import Repositories

CONTEXT = Context(Actor.system("test"), "pytest")
ADA, UNKNOWN = EmailAddress("ada@example.org"), EmailAddress("nobody@example.org")
PASSWORD = Password("correct horse")
LIMIT = LoginLimit(attempts=3, period=timedelta(hours=1))


@dataclass
class CountingHasher:
    """A hasher that records its calls."""

    hasher: PasswordHasher
    asked: list[str] = field(default_factory=list[str])
    work: Callable[[], Awaitable[None]] | None = None

    async def hash(self, password: str) -> PasswordHash:
        await self._asked("hash")
        return await self.hasher.hash(password)

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        await self._asked("verify")
        return await self.hasher.verify(password, hashed)

    def is_outdated(self, hashed: PasswordHash) -> bool:
        return self.hasher.is_outdated(hashed)

    async def _asked(self, what: str) -> None:
        self.asked.append(what)
        if self.work is not None:
            await self.work()


@pytest.fixture
def hasher(cheap_hasher: PasswordHasher) -> CountingHasher:
    """A hasher that records its calls."""
    return CountingHasher(cheap_hasher)


@pytest.fixture
def logins(begin: BeginUnitOfWork[Repositories], hasher: CountingHasher) -> UserCommands:
    """User commands with a limit of three attempts."""
    return UserCommands(Transactions(begin), hasher, LIMIT)


async def registered(users: UserCommands) -> User:
    result = await users.register(CONTEXT, Profile(PersonName("Ada", "Lovelace"), ADA), PASSWORD)
    assert isinstance(result, Ok)
    return result.value


async def outcomes(users: UserCommands, email: EmailAddress, *passwords: str) -> list[type[object]]:
    results = [await users.authenticate(CONTEXT, email, password) for password in passwords]
    return [type(result.value if isinstance(result, Ok) else result.error) for result in results]


# --- The port -----------------------------------------------------------------------------------------------------------


async def test_a_login_is_blocked_after_the_maximum_of_attempts_in_any_case_and_no_other_is(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        assert [await uow.repositories.logins.count(ADA, LIMIT) for _ in range(3)] == [None] * 3
        blocked = await uow.repositories.logins.count(EmailAddress("ADA@example.org"), LIMIT)
        assert await uow.repositories.logins.count(UNKNOWN, LIMIT) is None
    assert blocked is not None
    assert 0 < blocked.retry_after <= 3600


async def test_a_login_is_unblocked_by_a_reset_and_by_the_end_of_its_period(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        for _ in range(3):
            await uow.repositories.logins.count(ADA, LIMIT)
        await uow.repositories.logins.forget(EmailAddress("ADA@example.org"))
        assert [await uow.repositories.logins.count(ADA, LIMIT) for _ in range(3)] == [None] * 3
        # A period that has ended by the next call.
        assert await uow.repositories.logins.count(ADA, LoginLimit(attempts=3, period=timedelta())) is None


async def test_logins_whose_period_has_ended_are_removed(pool: Pool, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO login_attempts SELECT 'old' || i, 1, now() - interval '2h' FROM generate_series(1, 15) AS i")
        for _ in range(2):
            async with units_of_work(pool)() as uow:
                await uow.repositories.logins.count(ADA, LIMIT)
                await uow.commit()
        assert conn.execute("SELECT login, attempts FROM login_attempts").fetchall() == [("ada@example.org", 2)]


# --- Logins -------------------------------------------------------------------------------------------------------------


async def test_known_and_unknown_users_take_the_same_steps(logins: UserCommands, hasher: CountingHasher) -> None:
    await registered(logins)
    steps: list[tuple[list[type[object]], list[str]]] = []
    for email in (ADA, UNKNOWN):
        hasher.asked.clear()
        steps.append((await outcomes(logins, email, *["guessed"] * 4, PASSWORD.text), list(hasher.asked)))
    assert steps == [([WrongCredentials] * 3 + [TooManyAttempts] * 2, ["verify"] * 3)] * 2


async def test_a_successful_login_resets_the_attempts(logins: UserCommands) -> None:
    await registered(logins)
    for _ in range(2):
        assert await outcomes(logins, ADA, "guessed", "guessed", PASSWORD.text) == [WrongCredentials, WrongCredentials, User]


async def test_a_guess_of_the_old_password_counts_as_an_attempt(logins: UserCommands) -> None:
    user = await registered(logins)
    new = Password("battery staple")
    for _ in range(3):
        assert await logins.change_password(CONTEXT, user.id, "guessed", new) == Err(WrongCredentials())
    assert isinstance(await logins.change_password(CONTEXT, user.id, PASSWORD.text, new), Err)
    assert await outcomes(logins, ADA, PASSWORD.text) == [TooManyAttempts]


async def test_a_change_of_the_address_begins_no_new_period(logins: UserCommands, hasher: CountingHasher) -> None:
    user = await registered(logins)
    hasher.asked.clear()
    new, addresses = Password("battery staple"), [EmailAddress(f"ada{number}@example.org") for number in range(3)]
    for address in addresses:
        # A session suffices to change the address, so a guess must not be free after it, wherever the password is asked for.
        assert isinstance(await logins.update_profile(CONTEXT, user.id, replace(user.profile, email=address)), Ok)
        await logins.change_password(CONTEXT, user.id, "guessed", new)
        await outcomes(logins, address, "guessed")
    assert hasher.asked.count("verify") == LIMIT.attempts
    assert await outcomes(logins, addresses[-1], PASSWORD.text) == [TooManyAttempts]


async def test_concurrent_guesses_do_not_exceed_the_limit(pool: Pool, hasher: CountingHasher) -> None:
    logins = UserCommands(Transactions(units_of_work(pool)), hasher, LIMIT)
    await registered(logins)
    hasher.asked.clear()
    await asyncio.gather(*(outcomes(logins, ADA, "guessed") for _ in range(30)))
    assert hasher.asked == ["verify"] * 3


async def test_no_login_succeeds_without_the_counts(pool: Pool, hasher: CountingHasher) -> None:
    logins = UserCommands(Transactions(units_of_work(pool)), hasher, LIMIT)
    await registered(logins)
    hasher.asked.clear()
    await pool.close()
    assert await outcomes(logins, ADA, PASSWORD.text) == [Unavailable]
    assert hasher.asked == []


# --- Hashing ------------------------------------------------------------------------------------------------------------


async def test_a_password_is_hashed_only_where_the_hash_is_stored(logins: UserCommands, hasher: CountingHasher) -> None:
    profile = Profile(PersonName("Ada", "Lovelace"), ADA)
    once = replace(CONTEXT, once=Once("1", b"", lambda user: str(user.id).encode()))
    user = await logins.register(once, profile, PASSWORD)
    assert isinstance(user, Ok)
    assert hasher.asked == ["hash"]
    assert await logins.register(once, profile, PASSWORD) == Err(AlreadyAnswered(str(user.value.id).encode()))
    assert await logins.register(CONTEXT, profile, PASSWORD) == Err(EmailTaken(ADA))
    assert hasher.asked == ["hash"]
    assert await logins.change_password(CONTEXT, user.value.id, "guessed", Password("battery staple")) == Err(WrongCredentials())
    assert hasher.asked == ["hash", "verify"]


async def test_an_address_that_is_registered_while_its_password_is_hashed_is_taken(logins: UserCommands, hasher: CountingHasher) -> None:
    async def register_first() -> None:
        hasher.work = None
        await registered(logins)

    hasher.work = register_first
    assert await logins.register(CONTEXT, Profile(PersonName("Eve", "Late"), ADA), PASSWORD) == Err(EmailTaken(ADA))


async def test_no_transaction_is_open_while_a_password_is_hashed_or_verified(
    begin: BeginUnitOfWork[Repositories], hasher: CountingHasher
) -> None:
    opened = 0
    during = list[int]()

    @asynccontextmanager
    async def counted() -> AsyncGenerator[UnitOfWork[Repositories]]:
        nonlocal opened
        async with begin() as uow:
            opened += 1
            try:
                yield uow
            finally:
                opened -= 1

    async def look() -> None:
        during.append(opened)

    hasher.work = look
    users = UserCommands(Transactions(counted), hasher)
    user = await registered(users)
    assert await users.change_password(CONTEXT, user.id, PASSWORD.text, Password("battery staple")) == Ok(None)
    assert await outcomes(users, ADA, "battery staple") == [User]
    assert (hasher.asked, during) == (["hash", "verify", "hash", "verify"], [0] * 4)
