"""The contract of session stores, for Redis and in memory, and the end of sessions by events."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from shop.application.commands.sessions import SessionStore, SessionStoreLost
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.session_revocation import SessionRevocation
from shop.domain.events import OrderShipped, UserDeleted, UserPasswordChanged, UserProfileUpdated
from shop.domain.values import OrderId, UserId
from shop.infrastructure.memory.sessions import MemorySessionStore
from shop.infrastructure.redis.sessions import open_session_store

from .events import message

HOUR = timedelta(hours=1)


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


def digest() -> str:
    return uuid.uuid4().hex


async def test_a_session_has_a_holder_until_it_is_closed(store: SessionStore) -> None:
    ada, first, second = user(), digest(), digest()
    await store.open(first, ada, HOUR)
    await store.open(second, ada, HOUR)
    await store.close(first)
    await store.close(digest())
    assert [await store.holder(each) for each in (first, second, digest())] == [None, ada, None]


async def test_all_sessions_of_a_user_are_closed_and_no_others(store: SessionStore) -> None:
    ada, grace, digests = user(), user(), [digest() for _ in range(3)]
    for each, holder in zip(digests, (ada, ada, grace), strict=True):
        await store.open(each, holder, HOUR)
    await store.close_all(ada)
    await store.close_all(user())
    assert [await store.holder(each) for each in digests] == [None, None, grace]


async def test_a_session_ends_after_its_lifetime(store: SessionStore) -> None:
    ada, short, long = user(), digest(), digest()
    await store.open(long, ada, HOUR)
    await store.open(short, ada, timedelta(milliseconds=1))
    while await store.holder(short) is not None:
        pass
    # That the last one is short does not shorten the others, nor take them from the list of what is to be closed.
    assert await store.holder(long) == ada
    await store.close_all(ada)
    assert await store.holder(long) is None


class Lost(MemorySessionStore):
    """A store that answers only when it is asked again."""

    is_lost = True

    async def close_all(self, user_id: UserId) -> None:
        if self.is_lost:
            raise SessionStoreLost("gone")
        await super().close_all(user_id)


@pytest.mark.parametrize("event", [UserPasswordChanged, UserDeleted])
async def test_a_revocation_that_the_store_missed_is_repeated_by_the_consumer(event: type[UserPasswordChanged | UserDeleted]) -> None:
    store, ada = Lost(), user()
    revocation = SessionRevocation(store)
    await store.open("1", ada, HOUR)
    await revocation.after_commit([event(ada)])
    assert await revocation.process(event(ada), message(event(ada))) is Verdict.NOT_NOW
    assert await store.holder("1") == ada
    store.is_lost = False
    for other in (UserProfileUpdated(ada), OrderShipped(OrderId(uuid.uuid4()), ada)):
        assert await revocation.process(other, message(other)) is Verdict.HANDLED
    assert await store.holder("1") == ada
    assert await revocation.process(event(ada), message(event(ada))) is Verdict.HANDLED
    assert await store.holder("1") is None
