"""The contract of session stores, for Redis and in memory, and the end of sessions by events."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from psycopg import AsyncConnection

from shop.application.commands.open_sessions import OpenSessions
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.session_store import ReusedToken, Session, SessionStore, SessionStoreLost
from shop.application.commands.sessions import SessionEnded
from shop.application.context import Actor, Context
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.session_revocation import SessionRevocation
from shop.application.reads.users import Standing
from shop.application.transactions.failures import Unavailable
from shop.bootstrap.service import Adapters, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.events import OrderShipped, UserDeleted, UserPasswordChanged, UserProfileUpdated
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile, Role
from shop.domain.values import EmailAddress, OrderId, Password, PersonName, UserId
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.redis.sessions import open_session_store

from .events import message
from .faults.proxy import Fault, Moment, Proxy, Rates, running, tcp

HOUR = timedelta(hours=1)
ADA = UserId(uuid.UUID(int=1))


@pytest_asyncio.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SessionStore]:
    """A session store of either kind."""
    if request.param == "memory":
        yield MemorySessionStore()
        return
    async with open_session_store(request.getfixturevalue("redis_url")) as store:
        yield store


def user() -> UserId:
    return UserId(uuid.uuid4())


def new_id() -> str:
    return uuid.uuid4().hex


async def opened(store: SessionStore, user_id: UserId, lifetime: timedelta = HOUR, generation: int = 1) -> str:
    session_id = new_id()
    await store.open(session_id, "first", user_id, generation, "http 192.0.2.1", lifetime)
    return session_id


async def test_a_session_is_open_until_it_is_closed(store: SessionStore) -> None:
    ada = user()
    first, second = await opened(store, ada), await opened(store, ada, generation=7)
    await store.close(first)
    await store.close(new_id())
    assert [await store.get(each) for each in (first, new_id())] == [None, None]
    found = await store.get(second)
    assert found is not None
    assert (found.id, found.user_id, found.generation, found.origin) == (second, ada, 7, "http 192.0.2.1")
    assert found.refreshed_at == found.opened_at == found.ends_at - HOUR
    assert abs(found.opened_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_sessions_of_a_user_are_listed_and_no_others(store: SessionStore) -> None:
    ada, grace = user(), user()
    closed, *others = [await opened(store, ada) for _ in range(3)]
    hers = await opened(store, grace)
    await store.close(closed)
    assert {each.id for each in await store.of_user(ada)} == set(others)
    assert [each.id for each in await store.of_user(grace)] == [hers]
    assert list(await store.of_user(user())) == []


async def test_a_token_is_used_once_and_its_second_use_ends_the_session(store: SessionStore) -> None:
    ada = user()
    session_id, other = await opened(store, ada), await opened(store, ada)
    opening = await store.get(session_id)
    assert opening is not None
    for used, following in (("first", "second"), ("second", "third")):
        rotated = await store.rotate(session_id, used, following)
        assert isinstance(rotated, Session)
        # A refresh does not extend the session.
        assert replace(rotated, refreshed_at=opening.refreshed_at) == opening
        assert rotated.refreshed_at >= opening.refreshed_at
    reused = await store.rotate(session_id, "first", "fourth")
    assert isinstance(reused, ReusedToken)
    assert reused.session.user_id == ada
    # With it ends the family, the current token included.
    assert [await store.rotate(session_id, used, "fourth") for used in ("third", "fourth", "first")] == [None] * 3
    assert await store.get(session_id) is None
    assert isinstance(await store.rotate(other, "first", "second"), Session)


async def test_concurrent_uses_of_one_token_end_the_session_and_are_reported_once(store: SessionStore) -> None:
    session_id = await opened(store, user())
    answers = await asyncio.gather(*(store.rotate(session_id, "first", f"second {number}") for number in range(10)))
    kinds = Counter(type(each) for each in answers)
    assert kinds[ReusedToken] == 1
    assert kinds[Session] <= 1
    assert await store.get(session_id) is None


async def test_no_fault_of_the_connection_ends_a_session_whose_tokens_are_used_once(redis_url: str) -> None:
    location = urlsplit(redis_url)
    assert location.port is not None
    rates = Rates(request=0.2, weights=dict.fromkeys(Fault, 1))
    lost = 0
    async with (
        running(Proxy("redis", tcp(location.port), 1, rates)) as proxy,
        open_session_store(location._replace(netloc=f"127.0.0.1:{proxy.port}").geturl(), answer_within=0.03) as store,
        open_session_store(redis_url) as steady,
    ):
        session_id = await opened(steady, user())
        tokens = ["first"]
        for number in range(100):
            following = f"token {number}"
            try:
                rotated = await store.rotate(session_id, tokens[-1], following)
            except SessionStoreLost:
                lost += 1
            else:
                assert isinstance(rotated, Session)
                tokens.append(following)
        await proxy.calm()
        assert min(lost, len(tokens)) > 10
        assert isinstance(await steady.rotate(session_id, tokens[-1], "last"), Session)
        assert isinstance(await steady.rotate(session_id, tokens[-1], "too late"), ReusedToken)


async def test_all_sessions_of_a_user_are_closed_and_no_others(store: SessionStore) -> None:
    ada, grace = user(), user()
    ids = [await opened(store, each) for each in (ada, ada, grace)]
    await store.close_all(ada)
    await store.close_all(user())
    assert [await store.get(each) is None for each in ids] == [True, True, False]


async def test_the_sessions_of_earlier_generations_are_closed_and_no_others(store: SessionStore) -> None:
    ada = user()
    ids = [await opened(store, ada, generation=number) for number in (9, 10, 11)]
    await store.close_all(ada, 10)
    assert [await store.get(each) is None for each in ids] == [True, False, False]
    assert {each.id for each in await store.of_user(ada)} == set(ids[1:])


async def test_sessions_of_a_generation_that_a_failover_lost_are_refused_after_all_are_ended(
    database_url: str, redis_url: str, conn: AsyncConnection[Any], cheap_hasher: PasswordHasher
) -> None:
    system, email = Context(Actor.system("test"), "pytest"), EmailAddress(f"{new_id()}@example.org")
    chosen = Settings.model_validate({"database_url": database_url, "redis_url": redis_url})
    async with open_shop(chosen, Adapters(passwords=cheap_hasher)) as shop:
        registered = await shop.users.register(system, Profile(PersonName("Ada", "Lovelace"), email), Password("correct horse"))
        assert isinstance(registered, Ok)
        ada = registered.value.id
        # What the standby has: neither this password nor the end of the sessions reaches it.
        await conn.execute("CREATE TEMPORARY TABLE standby AS SELECT password, version, session_generation FROM users WHERE id = %s", [ada])
        assert await shop.users.change_password(system, ada, "correct horse", Password("battery staple")) == Ok(None)
        lost = await shop.sessions.log_in(system, email, "battery staple")
        assert isinstance(lost, Ok)
        await conn.execute(
            """
            UPDATE users SET (password, version, session_generation) = (SELECT password, version, session_generation FROM standby)
            WHERE id = %s
            """,
            [ada],
        )
        # Twice, so that no number of ends leads to the lost generation.
        for _ in range(2):
            assert await shop.sessions.end_all(system, ada) == Ok(None)
            claims, standing = await shop.sessions.identify(lost.value.access), await shop.reads.standing(ada)
            assert isinstance(standing, Ok)
            assert standing.value is not None
            assert claims is None or claims.generation != standing.value.session_generation
            assert await shop.sessions.refresh(system, lost.value.refresh) == Err(SessionEnded())


@dataclass(frozen=True, slots=True)
class LateOnce(Rates):
    """One fault, at the next request."""

    left: list[Fault] = field(default_factory=lambda: [Fault.LATE])

    def draw(self, moment: Moment, chance: Random) -> Fault | None:  # noqa: ARG002 nothing is drawn
        """Return the fault, if it has not been yet."""
        return self.left.pop() if self.left and moment is Moment.REQUEST else None


async def test_a_login_that_reaches_redis_late_changes_no_session_that_is_in_use(redis_url: str) -> None:
    location = urlsplit(redis_url)
    assert location.port is not None
    for _ in range(5):
        session_id, is_open = new_id(), False
        async with running(Proxy("redis", tcp(location.port))) as proxy, open_session_store(redis_url) as steady:
            async with open_session_store(location._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()) as store:
                await opened(store, user())
                proxy.rates = LateOnce()
                with suppress(SessionStoreLost):
                    await store.open(session_id, "first", user(), 1, "http 192.0.2.1", HOUR)
                    is_open = True
                    assert isinstance(await steady.rotate(session_id, "first", "second"), Session)
            await proxy.ended()
            assert not is_open or isinstance(await steady.rotate(session_id, "second", "third"), Session)


async def test_a_session_ends_after_its_lifetime(store: SessionStore) -> None:
    ada = user()
    long, short = await opened(store, ada), await opened(store, ada, timedelta(milliseconds=1))
    while await store.get(short) is not None:
        pass
    # That the last one is short does not shorten the others, nor take them from the list of what is to be closed.
    assert [each.id for each in await store.of_user(ada)] == [long]
    await store.close_all(ada)
    assert await store.get(long) is None


# --- What a process remembers of open sessions ------------------------------------------------------------------------------


class CountedStore(MemorySessionStore):
    """A store that counts what it is asked, and may be lost."""

    asked = 0
    is_lost = False

    async def get(self, session_id: str) -> Session | None:
        self.asked += 1
        if self.is_lost:
            raise SessionStoreLost("gone")
        return await super().get(session_id)


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_end_of_a_session_elsewhere_is_effective_within_the_interval() -> None:
    store, clock = CountedStore(), Clock()
    known, session_id = OpenSessions(store, 5.0, clock), await opened(store, ADA)
    assert [await known.is_open(session_id, ADA) for _ in range(3)] == [True] * 3
    await store.close(session_id)
    clock.now = 4.9
    assert await known.is_open(session_id, ADA)
    assert store.asked == 1
    clock.now = 5.0
    assert [await known.is_open(session_id, ADA) for _ in range(3)] == [False] * 3
    assert store.asked == 2


async def test_the_end_of_a_session_in_this_process_is_effective_at_once() -> None:
    store = CountedStore()
    known, session_id = OpenSessions(store, 5.0, Clock()), await opened(store, ADA)
    assert await known.is_open(session_id, ADA)
    known.closed(session_id)
    assert not await known.is_open(session_id, ADA)
    assert store.asked == 1


async def test_while_the_store_is_lost_sessions_count_as_open_and_it_is_asked_once_a_second() -> None:
    store, clock = CountedStore(), Clock()
    known, session_id, ended = OpenSessions(store, 0.0, clock), new_id(), new_id()
    known.closed(ended)
    store.is_lost = True
    assert [await known.is_open(session_id, ADA) for _ in range(3)] == [True] * 3
    assert not await known.is_open(ended, ADA)
    assert store.asked == 1
    store.is_lost, clock.now = False, 1.0
    assert not await known.is_open(session_id, ADA)


async def test_a_session_is_open_for_its_own_user_alone() -> None:
    store = CountedStore()
    known, session_id = OpenSessions(store, 5.0, Clock()), await opened(store, ADA)
    assert [await known.is_open(session_id, each) for each in (user(), ADA, user(), ADA)] == [False, True, False, True]
    assert store.asked == 1


async def test_what_is_remembered_is_bounded() -> None:
    store, clock = CountedStore(), Clock()
    known = OpenSessions(store, 5.0, clock)
    first = await opened(store, ADA)
    assert await known.is_open(first, ADA)
    for _ in range(10_000):
        await known.is_open(new_id(), ADA)
    assert store.asked == 10_001
    assert await known.is_open(first, ADA)
    assert store.asked == 10_002


# --- The end of sessions by events --------------------------------------------------------------------------------------------


class Lost(MemorySessionStore):
    """A store that answers only when it is asked again."""

    is_lost = True

    async def close_all(self, user_id: UserId, before: int | None = None) -> None:
        if self.is_lost:
            raise SessionStoreLost("gone")
        await super().close_all(user_id, before)


async def standing(_: UserId) -> Result[Standing | None, Unavailable]:
    """Return the standing of a user whose sessions are of the second generation."""
    return Ok(Standing(Role.CUSTOMER, 2))


async def test_an_event_that_is_handled_later_ends_no_session_that_was_opened_after_it() -> None:
    store, ada = MemorySessionStore(), user()
    before, after = await opened(store, ada, generation=1), await opened(store, ada, generation=2)
    event = UserPasswordChanged(ada)
    assert await SessionRevocation(store, standing).process(event, message(event)) is Verdict.HANDLED
    assert [await store.get(each) is None for each in (before, after)] == [True, False]


@pytest.mark.parametrize("event", [UserPasswordChanged, UserDeleted])
async def test_a_revocation_that_the_store_missed_is_repeated_by_the_consumer(event: type[UserPasswordChanged | UserDeleted]) -> None:
    store, ada = Lost(), user()
    revocation = SessionRevocation(store, standing)
    session_id = await opened(store, ada)
    await revocation.after_commit([event(ada)])
    assert await revocation.process(event(ada), message(event(ada))) is Verdict.NOT_NOW
    assert await store.get(session_id) is not None
    store.is_lost = False
    for other in (UserProfileUpdated(ada), OrderShipped(OrderId(uuid.uuid4()), ada)):
        assert await revocation.process(other, message(other)) is Verdict.HANDLED
    assert await store.get(session_id) is not None
    assert await revocation.process(event(ada), message(event(ada))) is Verdict.HANDLED
    assert await store.get(session_id) is None
