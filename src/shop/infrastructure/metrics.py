"""Metrics of a process, in Prometheus's format: of its use cases, pools and cache, and of its relay and consumers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from shop.application.authorisation import Action
from shop.application.messaging.broker import BrokerUnavailable, MessageRefused, Place, Publisher
from shop.application.messaging.consumer import RESULTS, Failed, Processor, Verdict, name_of
from shop.application.messaging.messages import Message
from shop.application.reads.cache import ReadCache
from shop.application.transactions.observing import OUTCOMES, outcome_of
from shop.domain.result import Result
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.telemetry import span

# Of the whole process. A series of its own for the time of each, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call] # it is not annotated

T = TypeVar("T")
E = TypeVar("E")


class UseCaseMetrics:
    """Counts and times use cases, and makes a span of each."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter("shop_use_cases", "Use cases that ended, by outcome.", ["use_case", "outcome"], registry=registry)
        self._seconds = Histogram("shop_use_case_seconds", "Time of a use case, with all attempts.", ["use_case"], registry=registry)
        self._known = set[str]()
        for action in Action:
            self._prepare(action)

    def _prepare(self, action: str) -> None:
        # All outcomes from the beginning, so that the first one of each is an increase.
        for outcome in OUTCOMES:
            self._ended.labels(action, outcome)
        self._known.add(action)

    async def observe(self, action: str, use_case: Callable[[], Awaitable[Result[T, E]]]) -> Result[T, E]:
        """Run a use case, and record its outcome."""
        if action not in self._known:
            self._prepare(action)
        started, outcome = time.perf_counter(), "defect"
        with span(action) as current:
            try:
                result = await use_case()
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            else:
                outcome = outcome_of(result)
                return result
            finally:
                current.set_attribute("shop.outcome", outcome)
                self._ended.labels(action, outcome).inc()
                self._seconds.labels(action).observe(time.perf_counter() - started)


class PoolMetrics(Collector):
    """The state of connection pools by their names, as psycopg counts it."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Return the state at this moment."""
        connections = GaugeMetricFamily("shop_pool_connections", "Connections that are open.", labels=["pool"])
        limit = GaugeMetricFamily("shop_pool_connections_max", "Connections that may be open.", labels=["pool"])
        idle = GaugeMetricFamily("shop_pool_connections_idle", "Connections that nobody uses.", labels=["pool"])
        waiting = GaugeMetricFamily("shop_pool_waiting", "Callers that wait for a connection.", labels=["pool"])
        requests = CounterMetricFamily("shop_pool_requests", "Connections that were asked for.", labels=["pool"])
        queued = CounterMetricFamily("shop_pool_requests_queued", "Connections that were waited for.", labels=["pool"])
        seconds = CounterMetricFamily("shop_pool_wait_seconds", "Time for which they were waited for, in total.", labels=["pool"])
        errors = CounterMetricFamily("shop_pool_errors", "Connections that were not received in time.", labels=["pool"])
        for name, pool in self._pools.items():
            found = pool.get_stats()
            connections.add_metric([name], found.get("pool_size", 0))
            limit.add_metric([name], found.get("pool_max", 0))
            idle.add_metric([name], found.get("pool_available", 0))
            waiting.add_metric([name], found.get("requests_waiting", 0))
            requests.add_metric([name], found.get("requests_num", 0))
            queued.add_metric([name], found.get("requests_queued", 0))
            seconds.add_metric([name], found.get("requests_wait_ms", 0) / 1000)
            errors.add_metric([name], found.get("requests_errors", 0))
        yield from (connections, limit, idle, waiting, requests, queued, seconds, errors)


class CacheMetrics(Collector):
    """The look-ups of the cache."""

    def __init__(self, cache: ReadCache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the numbers of look-ups until now."""
        lookups = CounterMetricFamily("shop_cache_lookups", "Look-ups in the cache, by outcome.", labels=["outcome"])
        for outcome, number in (("hit", self._cache.hits), ("miss", self._cache.misses), ("unavailable", self._cache.unavailable)):
            lookups.add_metric([outcome], number)
        yield lookups


class MessagingMetrics:
    """The metrics of relay and consumers, served with the others of their process. Labels are names of the program alone.

    Types of events may come from elsewhere.
    """

    def __init__(self, others: CollectorRegistry) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(others)
        self._processed = Counter("shop_consumer_messages", "Messages processed.", ["consumer", "verdict"], registry=self.registry)
        self._seconds = Histogram("shop_consumer_message_seconds", "Time to process a message.", ["consumer"], registry=self.registry)
        self._published = Counter("shop_relay_messages", "Messages sent to the broker.", ["outcome"], registry=self.registry)

    def counted(self, consumer: str, process: Processor) -> Processor:
        """Count what a consumer processes."""
        # As above.
        processed = {result: self._processed.labels(consumer, result) for result in RESULTS}
        seconds = self._seconds.labels(consumer)

        async def process_counted(message: Message) -> Verdict | Failed:
            started = time.perf_counter()
            verdict = await process(message)
            seconds.observe(time.perf_counter() - started)
            processed[name_of(verdict)].inc()
            return verdict

        return process_counted

    def publisher(self, publisher: Publisher) -> Publisher:
        """Count what is published."""
        for outcome in ("published", "refused", "unavailable"):
            # As above.
            self._published.labels(outcome)
        return _CountedPublisher(publisher, self._published)

    @contextmanager
    def served(self, port: int) -> Generator[int]:
        """Serve the metrics over HTTP on all addresses until the end of the block, and return the port. Raises `OSError`."""
        server, thread = start_http_server(port, registry=self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _CountedPublisher:
    def __init__(self, publisher: Publisher, published: Counter) -> None:
        self._publisher = publisher
        self._published = published

    async def publish(self, message: Message) -> Place:
        try:
            place = await self._publisher.publish(message)
        except MessageRefused:
            self._published.labels("refused").inc()
            raise
        except (BrokerUnavailable, asyncio.CancelledError):
            # Cancelled: the relay waits no longer than its lease, which ends before the broker's own timeout.
            self._published.labels("unavailable").inc()
            raise
        self._published.labels("published").inc()
        return place
