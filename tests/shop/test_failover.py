"""A streaming standby: it answers queries, and takes the place of a primary that was killed under load."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, OrderId, Password, PersonName, UserId
from tests.support.servers import ReadyCluster
from tests.support.waiting import wait_until

from .conftest import Dbmate
from .replication import Pair, running_pair

pytestmark = pytest.mark.slow

CONTEXT = Context(Actor.system("load"), "pytest")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
_BEFORE, _AFTER = 200, 40
LINE = OrderLine("BOOK-1", "A book", 1, Money(1, Currency.EUR))


@pytest.fixture
def pair(ready_cluster: ReadyCluster, dbmate: Dbmate) -> Iterator[Pair]:
    """A migrated primary and its standby."""
    # The cluster is not used: whoever makes it lets the server's user reach the programs.
    with running_pair() as pair:
        dbmate(pair.primary.url, "up")
        yield pair


def settings(pair: Pair) -> Settings:
    return Settings.model_validate(
        {"database_url": pair.url("read-write"), "database_read_url": pair.url("standby"), "pool_wait_timeout": 1, "connect_timeout": 2}
    )


def one(url: str, query: str, *values: Any) -> Any:
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]


async def registered(shop: Shop) -> UserId:
    added = await shop.users.register(CONTEXT, ADA, Password("correct horse"))
    assert isinstance(added, Ok)
    return added.value.id


async def place(shop: Shop, user_id: UserId) -> OrderId | None:
    """Return the id of an order that was acknowledged."""
    placed = await shop.orders.place(CONTEXT, NewOrder(user_id, (LINE,)))
    return placed.value.id if isinstance(placed, Ok) else None


def lost(pair: Pair, acknowledged: list[OrderId]) -> int:
    kept = one(pair.standby.url, "SELECT count(*) FROM orders WHERE id = ANY(%s)", acknowledged)
    return len(acknowledged) - int(kept)


async def test_queries_go_to_the_standby_and_after_its_promotion_to_the_primary(pair: Pair, cheap_hasher: PasswordHasher) -> None:
    async with open_shop(settings(pair), Adapters(passwords=cheap_hasher)) as shop:
        user_id = await registered(shop)
        wait_until(lambda: one(pair.standby.url, "SELECT count(*) FROM users") == 1, "the standby received nothing")
        # Later than the wait, so that only the standby can have answered: the primary is locked.
        with psycopg.connect(pair.primary.url) as conn:
            conn.execute("LOCK TABLE users")
            assert await shop.reads.count_users() == Ok(1)
        pair.fail_over()
        async with asyncio.timeout(60):
            # The pool replaces its connections with increasing waits.
            while await place(shop, user_id) is None:
                pass
        assert await shop.reads.count_users() == Ok(1)


async def test_with_synchronous_replication_no_acknowledged_order_is_lost(
    pair: Pair, cheap_hasher: PasswordHasher, record_property: Any
) -> None:
    with psycopg.connect(pair.primary.url, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        conn.execute("SELECT pg_reload_conf()")
        wait_until(lambda: one(pair.primary.url, "SELECT sync_state FROM pg_stat_replication") == "sync", "no synchronous standby")
    acknowledged: list[OrderId] = []
    after: list[OrderId] = []
    async with open_shop(settings(pair), Adapters(passwords=cheap_hasher)) as shop:
        user_id = await registered(shop)
        enough, promoted = asyncio.Event(), asyncio.Event()

        async def load() -> None:
            async with asyncio.timeout(120):
                while len(after) < _AFTER:
                    known = promoted.is_set()
                    order = await place(shop, user_id)
                    if order is not None:
                        (after if known else acknowledged).append(order)
                    if len(acknowledged) >= _BEFORE:
                        enough.set()

        async def fail_over() -> None:
            await enough.wait()
            await asyncio.to_thread(pair.primary.kill)
            with psycopg.connect(pair.standby.url, autocommit=True) as conn:
                # As a DBA does it, who has no other standby.
                conn.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            await asyncio.to_thread(pair.promote)
            promoted.set()

        await asyncio.gather(fail_over(), *(load() for _ in range(4)))
    record_property("acknowledged", len(acknowledged + after))
    assert lost(pair, acknowledged + after) == 0


async def test_asynchronous_replication_loses_what_the_standby_has_not_received(pair: Pair, cheap_hasher: PasswordHasher) -> None:
    async with open_shop(settings(pair), Adapters(passwords=cheap_hasher)) as shop:
        user_id = await registered(shop)
        first = [await place(shop, user_id) for _ in range(5)]
        wait_until(lambda: one(pair.standby.url, "SELECT count(*) FROM orders") == 5, "the standby received nothing")
        with pair.cut_off():
            later = [await place(shop, user_id) for _ in range(5)]
            pair.primary.kill(wait=False)
        pair.promote()
    assert None not in first + later
    assert lost(pair, [each for each in first if each]) == 0
    assert lost(pair, [each for each in later if each]) == 5
