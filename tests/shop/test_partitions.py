"""Two processes of a consumer share the work, and the events of each aggregate are handled in their order."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from shop.domain.events import OrderPaid
from shop.domain.money import Currency, Money
from shop.domain.values import OrderId
from shop.infrastructure.nats.broker import NatsBroker
from shop.local_servers import LocalServer

from .events import USER, message
from .recording import TABLE, consume

pytestmark = pytest.mark.programs

AGGREGATES = 60
EACH = 10


async def test_two_processes_share_the_partitions_and_keep_the_order_of_each_aggregate(
    database_url: str, nats: LocalServer, nats_broker: NatsBroker, conn: AsyncConnection[Any]
) -> None:
    await conn.execute(TABLE)
    command = [sys.executable, "-m", "tests.shop.recording", database_url, nats.url]
    other = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[2], stdout=PIPE)
    stop = asyncio.Event()
    try:
        assert other.stdout is not None
        assert await other.stdout.readline() == b"ready\n"
        own = asyncio.create_task(consume(database_url, nats.url, stop))
        for number in range(1, EACH + 1):
            paid = [OrderPaid(OrderId(uuid.UUID(int=order)), USER, Money(number, Currency.EUR)) for order in range(AGGREGATES)]
            await asyncio.gather(*(nats_broker.publish(message(event)) for event in paid))
        async with asyncio.timeout(300):
            while await rows(conn, "SELECT count(*) FROM recorded") != [(AGGREGATES * EACH,)]:  # noqa: ASYNC110 the state is the database's
                await asyncio.sleep(0.05)
        stop.set()
        await own
    finally:
        other.kill()
        await other.communicate()
    orders = await rows(conn, "SELECT array_agg(number ORDER BY at) FROM recorded GROUP BY aggregate")
    assert orders == [(list(range(1, EACH + 1)),)] * AGGREGATES
    shares = dict(await rows(conn, "SELECT process, count(*) FROM recorded GROUP BY process"))
    assert shares.keys() == {os.getpid(), other.pid}


async def rows(conn: AsyncConnection[Any], query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()
