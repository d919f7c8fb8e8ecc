"""Metrics of relay and consumers, in Prometheus's format."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from shop.application.messaging.broker import BrokerUnavailable, MessageRefused, Place, Publisher
from shop.application.messaging.consumer import Processor, Verdict
from shop.application.messaging.messages import Message


class MessagingMetrics:
    """The metrics of one process. Labels are names of the program alone: types of events may come from elsewhere."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._processed = Counter("shop_consumer_messages", "Messages processed.", ["consumer", "verdict"], registry=self.registry)
        self._seconds = Histogram("shop_consumer_message_seconds", "Time to process a message.", ["consumer"], registry=self.registry)
        self._published = Counter("shop_relay_messages", "Messages sent to the broker.", ["outcome"], registry=self.registry)

    def counted(self, consumer: str, process: Processor) -> Processor:
        """Count what a consumer processes."""
        for verdict in Verdict:
            # From the beginning, so that the first one of them is an increase.
            self._processed.labels(consumer, verdict.name.lower())

        async def process_counted(message: Message) -> Verdict:
            started = time.perf_counter()
            verdict = await process(message)
            self._seconds.labels(consumer).observe(time.perf_counter() - started)
            self._processed.labels(consumer, verdict.name.lower()).inc()
            return verdict

        return process_counted

    def publisher(self, publisher: Publisher) -> Publisher:
        """Count what is published."""
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
        except BrokerUnavailable:
            self._published.labels("unavailable").inc()
            raise
        self._published.labels("published").inc()
        return place
