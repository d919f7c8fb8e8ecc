"""The fault proxy: it finds the COMMIT however it is sent, and what each fault leaves behind is what its name says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo

from .databases import KEPT
from .faults.campaign import postgres_at
from .faults.postgres_protocol import Commits, Frames
from .faults.proxy import Fault, Moment, Proxy, Rates, running

INSERT = b"INSERT INTO daily_sales (day, currency, orders, revenue_minor) VALUES ('2026-01-01', 'EUR', 1, 1)"
Send = Callable[[AsyncConnection[Any]], Awaitable[object]]


async def simple(conn: AsyncConnection[Any]) -> None:
    await conn.execute("BEGIN")
    await conn.execute(INSERT)
    await conn.commit()


async def extended(conn: AsyncConnection[Any]) -> None:
    await conn.execute("BEGIN")
    await conn.execute(INSERT)
    await conn.execute("COMMIT", prepare=True, binary=True)


async def pipelined(conn: AsyncConnection[Any]) -> None:
    async with conn.pipeline():
        await conn.execute("BEGIN")
        await conn.execute(INSERT)
        await conn.execute("COMMIT")


async def several_in_one(conn: AsyncConnection[Any]) -> None:
    # Without parameters, psycopg sends it as one simple query.
    await conn.execute(b"BEGIN; " + INSERT + b"; COMMIT")


@asynccontextmanager
async def behind(database_url: str, *faults: Fault) -> AsyncGenerator[tuple[Proxy, str]]:
    """Run a proxy with these faults at each COMMIT."""
    rates = Rates(commit=1.0 if faults else 0.0, weights=dict.fromkeys(faults, 1))
    async with running(Proxy("postgres", postgres_at(database_url), 1, rates, is_postgres=True)) as proxy:
        yield proxy, make_conninfo(database_url, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")


async def is_there(conn: AsyncConnection[Any]) -> bool:
    """Return whether the row is committed, when no other transaction is in progress any more."""
    idle = """
        SELECT NOT EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> %s
        )
    """
    async with asyncio.timeout(30):
        while await (await conn.execute(idle, [KEPT])).fetchone() != (True,):  # noqa: ASYNC110 the state is the server's
            await asyncio.sleep(0.01)
    return await (await conn.execute("SELECT count(*) FROM daily_sales")).fetchone() == (1,)


@pytest.mark.parametrize("send", [simple, extended, pipelined, several_in_one])
async def test_a_commit_is_cut_before_and_after_however_it_is_sent(database_url: str, conn: AsyncConnection[Any], send: Send) -> None:
    for fault, expected in ((Fault.CUT_BEFORE, False), (Fault.CUT_AFTER, True)):
        async with behind(database_url, fault) as (proxy, url), await AsyncConnection.connect(url, autocommit=True) as client:
            with pytest.raises(OperationalError):
                await send(client)
            assert proxy.counts == {(Moment.COMMIT, fault): 1}
        assert await is_there(conn) is expected
    assert proxy.defects == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault.RESET, {False}), (Fault.CUT_UNDERWAY, {True}), (Fault.LATE, {True}), (Fault.TRUNCATED, {True}), (Fault.CUT_DURING, {False})],
)
async def test_other_faults_of_a_commit(database_url: str, conn: AsyncConnection[Any], fault: Fault, expected: set[bool]) -> None:
    async with behind(database_url, fault) as (proxy, url):
        async with await AsyncConnection.connect(url, autocommit=True) as client:
            with pytest.raises(OperationalError):
                await simple(client)
        # A late request is still on its way.
        await proxy.ended()
    assert await is_there(conn) in expected


@pytest.mark.parametrize(("fault", "expected"), [(Fault.HALF_OPEN, False), (Fault.SILENT, True)])
async def test_a_silent_connection_stays_open_until_the_faults_end(
    database_url: str, conn: AsyncConnection[Any], fault: Fault, expected: bool
) -> None:
    async with behind(database_url, fault) as (proxy, url), await AsyncConnection.connect(url, autocommit=True) as client:
        sending = asyncio.create_task(simple(client))
        while not proxy.counts and not sending.done():  # noqa: ASYNC110 the proxy sets no event
            await asyncio.sleep(0.001)
        done, _ = await asyncio.wait([sending], timeout=0.05)
        assert not done
        await proxy.calm()
        with pytest.raises(OperationalError):
            await sending
    assert await is_there(conn) is expected


async def test_without_a_fault_everything_arrives_and_a_delay_loses_nothing(database_url: str, conn: AsyncConnection[Any]) -> None:
    async with behind(database_url) as (_, url), await AsyncConnection.connect(url, autocommit=True) as client:
        big = await (await client.execute("SELECT repeat('x', 3000000) FROM generate_series(1, 3)")).fetchall()
        assert [len(row[0]) for row in big] == [3_000_000] * 3
    async with behind(database_url, Fault.DELAY) as (_, url), await AsyncConnection.connect(url, autocommit=True) as client:
        await simple(client)
    assert await is_there(conn)


def test_only_a_commit_is_one() -> None:
    def query(text: str) -> bytes:
        return b"Q" + (len(text) + 5).to_bytes(4, "big") + text.encode() + b"\0"

    for text in ("COMMIT", "commit;", " END ", "INSERT INTO t VALUES (1); COMMIT", "COMMIT WORK", "END TRANSACTION;"):
        assert Commits().is_commit(query(text)), text
    for text in ("ROLLBACK", "COMMIT PREPARED 'x'", "SELECT 'COMMIT'", "UPDATE t SET status = CASE WHEN a THEN b END"):
        assert not Commits().is_commit(query(text)), text


def test_messages_are_split_wherever_the_stream_is() -> None:
    messages = [(8 + 4).to_bytes(4, "big") + b"startup!", b"Q" + (4 + 7).to_bytes(4, "big") + b"COMMIT\0", b"X" + (4).to_bytes(4, "big")]
    stream = b"".join(messages)
    for size in range(1, len(stream) + 1):
        frames = Frames(is_client=True)
        assert [frame for at in range(0, len(stream), size) for frame in frames.feed(stream[at : at + size])] == messages


def test_the_faults_of_a_connection_depend_on_the_seed_alone() -> None:
    rates = Rates(connect=0.1, request=0.1, commit=0.5)

    def drawn(seed: int) -> list[Fault | None]:
        chance = Random(f"{seed} postgres 1")  # noqa: S311 repeatable
        return [rates.draw(Moment.COMMIT, chance) for _ in range(100)]

    assert drawn(1) == drawn(1) != drawn(2)
