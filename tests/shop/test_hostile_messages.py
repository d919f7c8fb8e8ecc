"""What others publish to the stream, whatever its bytes are: no consumer ends or stops at it, and what cannot be read is a dead letter."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shop.application.context import Actor, Context
from shop.application.messaging import sales
from shop.application.messaging.backoff import Backoff
from shop.application.messaging.consumer import Consumer, Verdict
from shop.application.messaging.dead_letters import DeadLetters, ReplayFailed
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.interest import Interest, kind_of, partition_of
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.reader import MessageReader
from shop.application.messaging.sales import SalesLedger, record_sales
from shop.application.transactions.runner import Transactions
from shop.cli.output import Output
from shop.domain.events import Event, OrderPaid, aggregate_of
from shop.domain.result import Err, Ok
from shop.infrastructure.nats.broker import NatsBroker
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.reads.repositories import read_repositories
from shop.infrastructure.postgres.transactions.sales_ledger import PostgresSalesLedger
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.local_servers import LocalServer

from .events import EVENTS, ORDER, TOTAL, USER, message
from .ports import Repositories

CONTEXT = Context(Actor.admin("clerk"), "pytest")
PARTITION = partition_of(aggregate_of(OrderPaid(ORDER, USER, TOTAL)))

# --- Any bytes ----------------------------------------------------------------------------------------------------------


def wild(**change: Any) -> bytes:
    """Return a message of a payment, with some of its members replaced."""
    content: dict[str, Any] = json.loads(message(OrderPaid(ORDER, USER, TOTAL)).model_dump_json())
    return json.dumps(content | {"id": str(uuid.uuid4())} | change).encode()


def paid(**total: Any) -> dict[str, Any]:
    return {"order_id": str(ORDER), "user_id": str(USER), "total": {"minor": 1, "currency": "EUR"} | total}


DEEP: Any = json.loads("[" * 150 + "]" * 150)
NOT_A_MESSAGE = [b"", b"\0", b"\xff\xfe", b"null", b"[" * 50_000, b'{"id":' + b"9" * 6000 + b"}", b'{"a":1,"a":2}', wild(id="8")]
ODD = [
    *(
        wild(**{name: text})
        for name in ("aggregate", "trace_id", "event_type", "occurred_at")
        for text in ("\0", "\ud800", "x" * 200, "\n")
    ),
    *(
        wild(payload=value)
        for value in (float("nan"), float("inf"), "\0", "\ud800", {"\0": 1}, {"\udfff": [1e308, -0.0, 5e-324]}, "x" * 99_999)
    ),
    *(wild(payload=paid(minor=minor)) for minor in (10**4000, -1, 0.5, float("-inf"), True, "\0")),
    *(wild(payload=paid(currency=code)) for code in ("\0", "\ud800", "XXX")),
    *(wild(version=version) for version in (0, -1, 10**30, float("nan"))),
    *(wild(occurred_at=moment) for moment in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1e400, -1, 1e18, "now")),
    wild(payload=DEEP),
    wild(payload=paid() | {"\0": "\0"}),
    wild(payload=paid()).replace(b'"minor"', b'"minor": 1e999, "minor"'),
    wild(payload=paid()).replace(b"EUR", b"\xed\xa0\x80"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None), max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["id", "aggregate", "event_type", "payload", "trace_id", "occurred_at"])
BODIES = st.binary() | st.dictionaries(NAMES, VALUES, max_size=2).map(lambda change: wild(**change)) | st.sampled_from(NOT_A_MESSAGE + ODD)
# Whatever the server takes for one token of a subject.
TOKENS = st.binary(min_size=1, max_size=20).filter(lambda token: not set(token) & set(b" \t\r\n.*>"))
HEADERS = st.none() | st.binary(min_size=1, max_size=60) | st.binary(max_size=60).map(lambda rest: b"NATS/1.0" + rest)


class Stranger:
    """A connection to the broker that publishes any bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def publish(self, body: bytes, kind: bytes = b"order", headers: bytes | None = None) -> None:
        """Publish a body as a payment, and wait until the server has read it."""
        subject = b"shop.events.%d.%b.OrderPaid" % (PARTITION, kind)
        if headers is None:
            self._writer.write(b"PUB %b %d\r\n%b\r\n" % (subject, len(body), body))
        else:
            self._writer.write(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, len(headers), len(headers) + len(body), headers, body))
        self._writer.write(b"PING\r\n")
        while await self._reader.readline() != b"PONG\r\n":
            pass

    @staticmethod
    @asynccontextmanager
    async def connected(server: LocalServer) -> AsyncGenerator[Stranger]:
        host, _, port = server.url.removeprefix("nats://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        writer.write(b'CONNECT {"verbose": false, "headers": true}\r\n')
        yield Stranger(reader, writer)
        writer.close()
        await writer.wait_closed()


@pytest_asyncio.fixture
async def stranger(nats: LocalServer, nats_broker: NatsBroker) -> AsyncIterator[Stranger]:
    """A stranger who publishes to an empty stream."""
    async with Stranger.connected(nats) as stranger:
        yield stranger


@pytest.fixture
def handled_behind(pool: Pool, nats_broker: NatsBroker) -> Callable[[], Awaitable[None]]:
    """Publish an event, and consume the partition until it is handled."""
    inbox = PostgresInbox(pool, "sales", PostgresSalesLedger)
    handled: list[str] = []

    async def record(event: Event, sent: Message, ledger: SalesLedger) -> None:
        await record_sales(event, sent, ledger)
        handled.append(sent.trace_id)

    read = MessageReader(sales.EVENTS, inbox, IdempotentConsumer(inbox, record), attempts=2)
    subscription = nats_broker.subscribe("sales", Interest(read.types, PARTITION))
    consumer = Consumer([subscription], read, wait=5, backoff=Backoff(first=0.001, longest=0.001))

    async def consume() -> None:
        mark = uuid.uuid4().hex
        await nats_broker.publish(message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"trace_id": mark}))
        async with asyncio.timeout(60):
            while mark not in handled:
                await consumer.run_once()

    return consume


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(BODIES, TOKENS | st.just(b"order"), HEADERS)
@example(wild(), b"a\x0bb", None)
@example(wild(), b"\xff", None)
@example(wild(), b"order", b"x")
@example(wild(), b"order", b"NATS/1.0")
@example(wild(), b"order", b"NATS/1.0 404\r\n\r\n")
@example(wild(), b"order", b"NATS/1.0 \xff\xff\xff\r\n\r\n")
@example(b"", b"order", b"NATS/1.0 503 No\r\n\r\n")
@example(b"", b"order", b"NATS/1.0\r\nStatus: 503\r\n\r\n")
async def test_whatever_is_published_the_event_behind_it_is_handled(
    stranger: Stranger, handled_behind: Callable[[], Awaitable[None]], body: bytes, kind: bytes, headers: bytes | None
) -> None:
    await stranger.publish(body, kind, headers)
    await handled_behind()


async def test_the_event_behind_messages_that_are_odd_is_handled(stranger: Stranger, handled_behind: Callable[[], Awaitable[None]]) -> None:
    for body in NOT_A_MESSAGE + ODD:
        await stranger.publish(body)
    await handled_behind()


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.datetimes(timezones=OFFSETS))
@example(datetime(2026, 11, 22, 7, tzinfo=timezone(timedelta(hours=23, minutes=59))))
@example(datetime(1, 1, 1, tzinfo=UTC))
async def test_the_time_of_a_message_is_one_that_the_database_reads(pool: Pool, moment: datetime) -> None:
    read = read_message(wild(occurred_at=moment.isoformat()))
    assert read.event_type == "Unreadable" or read.occurred_at == moment
    async with pool.connection() as conn:
        stored = read.model_dump(mode="json")["occurred_at"]
        cur = await conn.execute("SELECT %s::text::timestamptz = %s::timestamptz", [stored, read.occurred_at])
        assert await cur.fetchone() == (True,)


def test_an_event_has_the_subject_that_its_consumers_ask_for() -> None:
    for event in EVENTS:
        assert aggregate_of(event).partition(":")[0] == kind_of(type(event).__name__)


# --- Their dead letters -------------------------------------------------------------------------------------------------


def restored(text: str) -> bytes:
    """Return the bytes of a dead letter."""
    return re.sub(
        rb"\\(\\|x[0-9a-f]{2})", lambda found: b"\\" if found[1] == b"\\" else bytes.fromhex(found[1][1:].decode()), text.encode()
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary() | st.text("\\x0é\0", max_size=9).map(str.encode) | st.sampled_from(NOT_A_MESSAGE))
async def test_what_cannot_be_read_is_a_dead_letter_that_keeps_its_bytes_and_can_be_shown_and_discarded(pool: Pool, body: bytes) -> None:
    unreadable = read_message(body)
    inbox = PostgresInbox(pool, "sales", PostgresSalesLedger)
    assert await MessageReader(sales.EVENTS, inbox, IdempotentConsumer(inbox, record_sales))(unreadable) is Verdict.DEAD

    async def replay(event: Event, sent: Message, stores: Repositories) -> Verdict:
        await record_sales(event, sent, stores.sales)
        return Verdict.HANDLED

    async with read_repositories(pool)() as reads:
        letter = await reads.dead_letters.get("sales", unreadable.id)
    assert letter is not None
    assert isinstance(letter.message, dict)
    assert restored(str(letter.message["payload"])) == body
    letters = DeadLetters(Transactions(units_of_work(pool)), {"sales": replay})
    assert await letters.replay(CONTEXT, "sales", unreadable.id) == Err(ReplayFailed("unknown event type Unreadable"))
    assert await letters.discard(CONTEXT, "sales", unreadable.id) == Ok(None)
    # So that the same bytes are a letter once more.
    async with pool.connection() as conn:
        await conn.execute("DELETE FROM inbox")


@pytest.mark.parametrize("error", ["query_canceled", "program_limit_exceeded", "statement_too_complex", "invalid_regular_expression"])
async def test_what_cannot_be_searched_is_a_dead_letter_without_its_content(pool: Pool, conn: Connection, error: str) -> None:
    await conn.execute(
        f"""
        CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN
            IF message::text LIKE '%hostile%' THEN
                RAISE {error};
            END IF;
            RETURN '{{}}';
        END
        $$
        """.encode()
    )
    unreadable = read_message(b"hostile")
    inbox = PostgresInbox(pool, "sales", PostgresSalesLedger)
    assert await MessageReader(sales.EVENTS, inbox, IdempotentConsumer(inbox, record_sales))(unreadable) is Verdict.DEAD
    async with read_repositories(pool)() as reads:
        letter = await reads.dead_letters.get("sales", unreadable.id)
    assert letter is not None
    assert "hostile" not in f"{letter.message} {letter.last_error}"
    assert "the search for addresses failed" in str(letter.last_error)


async def test_a_failure_is_counted_whatever_the_text_of_its_error(pool: Pool) -> None:
    inbox, failed = PostgresInbox(pool, "sales", PostgresSalesLedger), message(OrderPaid(ORDER, USER, TOTAL))
    texts = ["\0", "\ud800", "a\0b\udfff"]
    assert [await inbox.count_failure(failed, text) for text in texts] == [1, 2, 3]
    await inbox.bury(failed)
    async with read_repositories(pool)() as reads:
        letter = await reads.dead_letters.get("sales", failed.id)
    assert letter is not None
    assert letter.last_error == "a\N{REPLACEMENT CHARACTER}b?"


def test_a_dead_letter_writes_nothing_but_text_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b]0;b\x07\x9bc\rd\x7fé\ne"
    Output(is_json=False).record({"message": {"payload": hostile}})
    Output(is_json=False).listing([{"error": hostile}], columns=["error"])
    written = capsys.readouterr().out
    assert written.count(r"a\x1b]0;b\x07\x9bc\x0dd\x7fé") == 2
    assert all(character.isprintable() or character == "\n" for character in written)
