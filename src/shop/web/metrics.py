"""Metrics of the requests, and of what is waiting."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shop.application.messaging.backlog import Backlog


class Metrics:
    """The metrics of one server, by method and route: never by path, which has ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("shop_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        self.seconds = Histogram("shop_http_request_seconds", "Time to answer a request.", ["method", "route"], registry=self.registry)
        self.in_flight = Gauge("shop_http_requests_in_flight", "Requests being answered.", registry=self.registry)


def describe_backlog(backlog: Backlog) -> bytes:
    """Return metrics of what is waiting. What is not known is left out: another value would be wrong."""
    registry = CollectorRegistry()
    if backlog.store is not None:
        outbox, erasures = backlog.store.outbox, backlog.store.erasures
        Gauge("shop_outbox_pending", "Events to be published; 10,001 stands for more.", registry=registry).set(outbox.pending)
        Gauge("shop_outbox_lag_seconds", "Age of the oldest of them.", registry=registry).set(outbox.lag_seconds)
        dead = Gauge("shop_dead_letters", "Dead letters of the consumers and of the relay.", ["consumer"], registry=registry)
        for consumer, number in outbox.dead.items():
            dead.labels(consumer).set(number)
        Gauge("shop_erasures_due", "Erasures of users to go on with; 10,001 stands for more.", registry=registry).set(erasures.due)
        Gauge("shop_erasures_due_seconds", "For how long the first of them has been due.", registry=registry).set(erasures.seconds)
    if backlog.consumers is not None:
        lag = Gauge("shop_consumer_lag", "Messages that a consumer has not settled yet.", ["consumer"], registry=registry)
        for consumer, number in backlog.consumers.items():
            lag.labels(consumer).set(number)
    return generate_latest(registry)
