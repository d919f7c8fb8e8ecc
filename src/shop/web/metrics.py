"""Metrics of the requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The metrics of one server, by method and route: never by path, which has ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("shop_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        self.seconds = Histogram("shop_http_request_seconds", "Time to answer a request.", ["method", "route"], registry=self.registry)
        self.in_flight = Gauge("shop_http_requests_in_flight", "Requests being answered.", registry=self.registry)
