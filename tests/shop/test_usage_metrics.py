"""Metrics of use cases, connection pools and the cache."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from psycopg_pool import PoolTimeout

from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.transactions.failures import OutcomeUnknown, TooMuchContention, Unavailable
from shop.domain.events import UserRegistered
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Role
from shop.infrastructure import telemetry
from shop.infrastructure.metrics import MessagingMetrics, PoolMetrics, UseCaseMetrics
from shop.infrastructure.postgres.pool import PoolOptions, open_pool

from .events import USER, message
from .web import LINE, Web, open_web


def values(text: str) -> dict[str, float]:
    """The metrics by name and labels."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


async def shown(web: Web) -> dict[str, float]:
    return values((await web.client.get("/metrics")).text)


async def test_use_cases_and_look_ups_are_counted_by_outcome(database_url: str, redis_url: str) -> None:
    async with open_web(database_url, redis_url) as web:
        ada = await web.person()
        order = {"user_id": ada.id, "lines": [LINE]}
        for _ in range(2):
            await ada("POST", "/orders", headers={"Idempotency-Key": "k1"}, json=order)
            await ada("GET", f"/users/{ada.id}/orders/totals")
        await ada("POST", "/users", json={"first_name": "A", "last_name": "B", "email": "user1@example.org", "password": "correct horse"})
        found = await shown(web)
    outcomes = [("order.place", "done"), ("order.place", "repeated"), ("user.register", "done"), ("user.register", "refused")]
    assert [found[f'shop_use_cases_total{{outcome="{outcome}",use_case="{action}"}}'] for action, outcome in outcomes] == [1, 1, 1, 1]
    assert found['shop_use_case_seconds_count{use_case="order.place"}'] == 2
    assert [found[f'shop_cache_lookups_total{{outcome="{each}"}}'] for each in ("hit", "miss", "unavailable")] == [1, 1, 0]
    assert found['shop_pool_connections_max{pool="primary"}'] == 10


async def test_reads_are_counted_by_outcome_and_timed_as_writes_are(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada, admin = await web.person(), await web.person(Role.ADMIN)
        order, unknown = await ada.order(), uuid.UUID(int=1)
        paths = ["/users", "/orders", "/audit", "/sales", f"/users/{ada.id}", f"/users/{unknown}", f"/orders/{order['id']}"]
        paths += [f"/users/{ada.id}/orders", f"/users/{ada.id}/orders/totals", f"/users/{ada.id}/profile", f"/orders/{unknown}"]
        for path in paths:
            await admin("GET", path)
        for path in ("/users", f"/users/{admin.id}", "/orders?cursor=x"):
            await ada("GET", path)
        found = await shown(web)
        with psycopg.connect(database_url) as conn:
            conn.execute("ALTER TABLE users RENAME COLUMN first_name TO given_name")
        assert (await web.client.get(f"/users/{ada.id}/profile")).status_code == 500
        broken = await shown(web)
    done = ["user.find", "order.find", "audit.read", "sales.show", "user.show", "order.show", "user.show_profile"]
    assert [found[f'shop_use_cases_total{{outcome="done",use_case="{each}"}}'] for each in done] == [1] * len(done)
    assert found['shop_use_cases_total{outcome="done",use_case="order.list"}'] == 2
    refused = {"user.find": 1, "order.find": 1, "user.show": 2, "order.show": 1}
    assert {each: found[f'shop_use_cases_total{{outcome="refused",use_case="{each}"}}'] for each in refused} == refused
    assert [found[f'shop_use_case_seconds_count{{use_case="{each}"}}'] for each in ("user.show", "order.show")] == [3, 2]
    assert broken['shop_use_cases_total{outcome="defect",use_case="user.show_profile"}'] == 1


async def test_a_look_up_in_a_cache_that_is_down_is_no_miss(database_url: str) -> None:
    async with open_web(database_url, "redis://127.0.0.1:1") as web:
        await web.client.get("/users/00000000-0000-0000-0000-000000000001/profile")
        found = await shown(web)
    assert [found[f'shop_cache_lookups_total{{outcome="{each}"}}'] for each in ("hit", "miss", "unavailable")] == [0, 0, 1]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of the test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Ok(1), "done"),
        (Err("no"), "refused"),
        (Err(Unavailable("down")), "unavailable"),
        (Err(TooMuchContention(3)), "contention"),
        (Err(OutcomeUnknown("x")), "unknown"),
        (asyncio.CancelledError(), "cancelled"),
        (ValueError("s3cret"), "defect"),
    ],
    ids=str,
)
async def test_a_use_case_is_a_span_with_its_outcome_and_without_texts_of_exceptions(
    result: Result[int, object] | BaseException, outcome: str, spans: InMemorySpanExporter
) -> None:
    registry = CollectorRegistry()

    async def use_case() -> Result[int, object]:
        if isinstance(result, BaseException):
            raise result
        return result

    with suppress(asyncio.CancelledError, ValueError):
        assert await UseCaseMetrics(registry).observe("order.pay", use_case) is result
    assert values(generate_latest(registry).decode())[f'shop_use_cases_total{{outcome="{outcome}",use_case="order.pay"}}'] == 1
    [span] = spans.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("order.pay", {"shop.outcome": outcome})
    assert (span.events, span.status.description) == ((), None)


async def test_callers_that_wait_for_a_connection_are_counted(database_url: str) -> None:
    registry = CollectorRegistry()

    def now(name: str) -> float:
        return values(generate_latest(registry).decode())[f'{name}{{pool="primary"}}']

    async with open_pool(database_url, PoolOptions(max_size=1)) as pool:
        registry.register(PoolMetrics({"primary": pool}))
        async with pool.connection():
            before = [now(f"shop_pool_{name}_total") for name in ("requests", "requests_queued", "errors")]
            assert [now(f"shop_pool_{name}") for name in ("connections", "connections_idle", "waiting")] == [1, 0, 0]
            began, waits = time.monotonic(), now("shop_pool_wait_seconds_total")
            waiting = asyncio.create_task(pool.getconn())
            while now("shop_pool_waiting") < 1:  # noqa: ASYNC110 the pool sets no event
                await asyncio.sleep(0)
            await asyncio.sleep(0.25)
        await pool.putconn(await waiting)
        waited = time.monotonic() - began
        async with asyncio.timeout(30):
            while now("shop_pool_connections_idle") < 1:  # noqa: ASYNC110 as above
                await asyncio.sleep(0)
        # In seconds, although psycopg counts milliseconds, and whole ones.
        assert 0.2 < now("shop_pool_wait_seconds_total") - waits <= waited + 0.002
        assert [now(f"shop_pool_{name}") for name in ("connections", "connections_max", "waiting")] == [1, 1, 0]
    after = [now(f"shop_pool_{name}_total") for name in ("requests", "requests_queued", "errors")]
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1, 0]


async def test_a_connection_that_was_not_received_in_time_is_counted_as_an_error(database_url: str) -> None:
    registry = CollectorRegistry()
    async with open_pool(database_url, PoolOptions(max_size=1)) as pool:
        registry.register(PoolMetrics({"primary": pool}))
        async with pool.connection():
            for _ in range(2):
                with pytest.raises(PoolTimeout):
                    await pool.getconn(0.05)
        assert values(generate_latest(registry).decode())['shop_pool_errors_total{pool="primary"}'] == 2


async def test_every_verdict_is_counted() -> None:
    metrics = MessagingMetrics(CollectorRegistry())

    async def process(_: Message) -> Verdict:
        return verdict

    for verdict in Verdict:
        assert await metrics.counted("sales", process)(message(UserRegistered(USER))) is verdict
    counted = values(generate_latest(metrics.registry).decode())
    assert {
        each: counted[f'shop_consumer_messages_total{{consumer="sales",verdict="{each.name.lower()}"}}'] for each in Verdict
    } == dict.fromkeys(Verdict, 1)
