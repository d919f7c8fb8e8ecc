"""Traces through outbox and broker, and metrics of what was processed and of what is waiting."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest
import pytest_asyncio
from nats.aio.client import Client
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from shop.application.messaging.backlog import Backlog, BacklogMeter, ErasureBacklog, OutboxBacklog, StoreBacklog
from shop.application.messaging.broker import BrokerUnavailable
from shop.application.messaging.consumer import Failed
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.relay import Relay
from shop.application.messaging.status import Status, announcing
from shop.application.transactions.failures import StoreLost
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.events import OrderPaid, OrderShipped, UserRegistered
from shop.infrastructure import telemetry
from shop.infrastructure.metrics import MessagingMetrics
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.postgres.messaging.pending_messages import PostgresPendingMessages
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.local_servers import LocalServer, nats_server
from shop.web.metrics import describe_backlog

from .events import ORDER, TOTAL, USER, message
from .servers import frozen


async def write(pool: Pool, *events: OrderPaid | OrderShipped | UserRegistered) -> None:
    async with units_of_work(pool)() as uow:
        for event in events:
            await uow.outbox.add(event, "trace-1")
        await uow.commit()


async def test_a_trace_goes_from_the_request_through_the_broker_to_the_handler(
    pool: Pool, nats_broker: NatsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(telemetry, "_tracer", tracer)
    with tracer.start_as_current_span("request"):
        await write(pool, OrderPaid(ORDER, USER, TOTAL))
    assert await Relay(PostgresPendingMessages(pool), nats_broker).run_until_empty() == 1
    delivery = await nats_broker.subscribe("sales").next(30)
    assert delivery is not None
    seen: list[str] = []

    async def handle(_: Message) -> Failed:
        seen.append(telemetry.current_traceparent())
        return Failed(1)

    await telemetry.traced("sales", handle)(read_message(delivery.body, delivery.traceparent))
    request, publish, process = exporter.get_finished_spans()
    assert [span.name for span in (request, publish, process)] == ["request", "publish OrderPaid", "process sales"]
    for parent, child in ((request, publish), (publish, process)):
        assert parent.context is not None
        assert child.parent is not None
        assert (child.parent.trace_id, child.parent.span_id) == (parent.context.trace_id, parent.context.span_id)
    assert process.context is not None
    assert [each.split("-")[1:3] for each in seen] == [[f"{process.context.trace_id:032x}", f"{process.context.span_id:016x}"]]
    assert process.attributes is not None
    assert (process.attributes["shop.verdict"], process.status.is_ok) == ("failed", False)


async def test_what_was_not_traced_has_no_header(pool: Pool, nats_broker: NatsBroker) -> None:
    await write(pool, OrderPaid(ORDER, USER, TOTAL))
    await Relay(PostgresPendingMessages(pool), nats_broker).run_until_empty()
    delivery = await nats_broker.subscribe("sales").next(30)
    assert delivery is not None
    assert delivery.traceparent == ""


@pytest_asyncio.fixture
async def shop(database_url: str, nats_broker: NatsBroker) -> AsyncIterator[Shop]:
    async with open_shop(Settings.model_validate({"database_url": database_url}), Adapters(broker=nats_broker)) as shop:
        yield shop


async def test_what_is_waiting_is_measured(shop: Shop, pool: Pool, nats_broker: NatsBroker) -> None:
    assert shop.relay is not None
    assert shop.consumers is not None
    await write(pool, UserRegistered(USER), OrderPaid(ORDER, USER, TOTAL), OrderShipped(ORDER, USER))
    await shop.consumers["sales"].run_once()
    store = (await shop.backlog.measure()).store
    assert store is not None
    before = store.outbox
    assert (before.pending, before.lag_seconds >= 0, before.dead) == (3, True, {"relay": 0})
    await shop.relay.run_until_empty()
    # A payment whose content has another form.
    await nats_broker.publish(message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"payload": None}))
    assert await shop.backlog.measure() == Backlog(StoreBacklog(OutboxBacklog(0, 0.0, {"relay": 0}), NONE_DUE), {"sales": 2})
    assert [await shop.consumers["sales"].run_once() for _ in range(2)] == [1, 1]
    assert await shop.backlog.measure() == Backlog(StoreBacklog(OutboxBacklog(0, 0.0, {"relay": 0, "sales": 1}), NONE_DUE), {"sales": 0})
    with shop.metrics.served(0) as port, urlopen(f"http://127.0.0.1:{port}/metrics") as response:  # noqa: ASYNC210 of this test alone
        text = response.read().decode()
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}
    assert counted['shop_relay_messages_total{outcome="published"}'] == 3
    verdicts = [counted[f'shop_consumer_messages_total{{consumer="sales",verdict="{each}"}}'] for each in ("handled", "dead", "skipped")]
    assert verdicts == [1, 1, 0]
    assert counted['shop_consumer_message_seconds_count{consumer="sales"}'] == 2


async def test_a_message_that_the_broker_does_not_answer_within_the_lease_is_counted(pool: Pool, tmp_path: Path) -> None:
    metrics = MessagingMetrics(CollectorRegistry())
    await write(pool, UserRegistered(USER))
    with nats_server(tmp_path) as nats:
        async with open_broker(nats.url) as broker:
            await broker.prepare()
            with frozen(nats):
                done = await Relay(PostgresPendingMessages(pool), metrics.publisher(broker), lease=0.3).run_once()
            assert done.is_broker_lost
            assert metrics.registry.get_sample_value("shop_relay_messages_total", {"outcome": "unavailable"}) == 1


NONE_DUE = ErasureBacklog(0, 0.0)


class Silent:
    """Servers that never answer."""

    async def measure(self) -> StoreBacklog:
        await asyncio.Event().wait()
        raise AssertionError

    async def waiting(self) -> Mapping[str, int]:
        await asyncio.Event().wait()
        raise AssertionError


class Down:
    """Servers that do not answer."""

    async def measure(self) -> StoreBacklog:
        raise StoreLost("down")

    async def waiting(self) -> Mapping[str, int]:
        raise BrokerUnavailable("down")


@pytest.mark.parametrize("servers", [Down(), Silent()], ids=["down", "silent"])
async def test_what_is_unknown_has_no_metric(servers: Down | Silent) -> None:
    unknown = await BacklogMeter(servers, servers, patience=0.01).measure()
    assert unknown == Backlog(None, None)
    assert describe_backlog(unknown) == b""
    known = describe_backlog(Backlog(StoreBacklog(OutboxBacklog(3, 1.5, {"relay": 1}), ErasureBacklog(4, 2.5)), {"sales": 2})).decode()
    assert [line for line in known.splitlines() if not line.startswith("#")] == [
        "shop_outbox_pending 3.0",
        "shop_outbox_lag_seconds 1.5",
        'shop_dead_letters{consumer="relay"} 1.0',
        "shop_erasures_due 4.0",
        "shop_erasures_due_seconds 2.5",
        'shop_consumer_lag{consumer="sales"} 2.0',
    ]


async def test_a_process_announces_itself_until_it_stops(nats: LocalServer, nats_broker: NatsBroker) -> None:
    async with Client() as listener:
        await listener.connect(nats.url)
        heard = await listener.subscribe("shop.status.>")  # pyright: ignore[reportUnknownMemberType] nats-py types its arguments partially
        await listener.flush()
        async with announcing("consume.sales", nats_broker):
            first = Status.model_validate_json((await heard.next_msg(30)).data)
        last = Status.model_validate_json((await heard.next_msg(30)).data)
    assert (first.name, first.process, first.is_stopping) == ("consume.sales", os.getpid(), False)
    assert (last.host, last.process, last.is_stopping) == (first.host, first.process, True)


async def test_a_process_repeats_that_it_runs(nats: LocalServer, nats_broker: NatsBroker) -> None:
    async with Client() as listener:
        await listener.connect(nats.url)
        heard = await listener.subscribe("shop.status.>")  # pyright: ignore[reportUnknownMemberType] as above
        await listener.flush()
        async with announcing("relay", nats_broker, interval=0.01):
            for _ in range(3):
                assert not Status.model_validate_json((await heard.next_msg(30)).data).is_stopping


@pytest.mark.programs
async def test_status_lists_a_process_that_began_before_it(database_url: str, nats: LocalServer, nats_broker: NatsBroker) -> None:
    command = [sys.executable, "-X", "utf8", "-m", "shop.cli", "--json", "status"]
    async with announcing("consume.sales", nats_broker):
        # By default it announces itself again before the command has ended.
        status = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"DATABASE_URL": database_url, "NATS_URL": nats.url}, stdout=asyncio.subprocess.PIPE
        )
        listed, _ = await status.communicate()
    assert status.returncode == 0
    found = {each["name"]: each for each in json.loads(listed)["items"]}
    assert (found["consume.sales"]["process"], found["consume.sales"]["is_stopping"]) == (os.getpid(), False)
    assert found["consume.sales"]["seconds"] >= 9
