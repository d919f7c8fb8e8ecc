"""A consumer that records in which order it handled events, for several processes at once."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from typing import Any

from psycopg import AsyncConnection

from shop.application.messaging.consumer import Consumer
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import MessageReader
from shop.domain.events import Event, OrderPaid
from shop.infrastructure.nats.broker import open_broker
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import open_pool
from shop.infrastructure.postgres.queries import Queries

TABLE = "CREATE TABLE recorded (at bigint GENERATED ALWAYS AS IDENTITY, aggregate text, number bigint, process integer)"


async def _record(conn: AsyncConnection[Any], aggregate: str, number: int) -> None:
    await conn.execute("INSERT INTO recorded (aggregate, number, process) VALUES (%s, %s, %s)", [aggregate, number, os.getpid()])


async def consume(database_url: str, nats_url: str, stop: asyncio.Event, *, announce: bool = False) -> int:
    """Record events until `stop` is set, each tenth one in the second attempt, and return the number."""
    failed = set[uuid.UUID]()

    async def handle(event: Event, message: Message, query: Queries) -> None:
        assert isinstance(event, OrderPaid)
        await query(_record, message.aggregate, event.total.minor)
        if event.total.minor % 10 == 0 and message.id not in failed:
            failed.add(message.id)
            raise RuntimeError("a hiccup")

    async with open_pool(database_url) as pool, open_broker(nats_url) as broker:
        inbox = PostgresInbox(pool, "recorder", lambda queries: queries)
        reader = MessageReader((OrderPaid,), inbox, IdempotentConsumer(inbox, handle))
        interests = [Interest(reader.types, partition) for partition in range(PARTITIONS)]
        consumer = Consumer([broker.subscribe("recorder", interest) for interest in interests], reader, wait=0.2)
        await consumer.run_once()
        if announce:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
        return await consumer.run(stop)


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2], asyncio.Event(), announce=True))
