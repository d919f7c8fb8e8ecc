"""The current span in W3C Trace Context, for what outlives it: the outbox, and the headers of the broker."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# Not the configured propagator: the column and the header hold this format and nothing else.
_W3C = TraceContextTextMapPropagator()


def current_traceparent() -> str:
    """Return the current span as a `traceparent`, or nothing if there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(traceparent: str) -> Context:
    """Return the context of a `traceparent`, which is empty if that is not valid."""
    return _W3C.extract({"traceparent": traceparent}, Context())
