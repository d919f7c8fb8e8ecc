"""Spans, and traces through outbox and broker: a span that ended long ago is continued by its `traceparent`, as in W3C Trace Context."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shop.application.messaging.consumer import Failed, Processor, Verdict, name_of
from shop.application.messaging.messages import Message

_tracer = trace.get_tracer("shop")
# Not the configured propagator: the column and the header hold this format and nothing else.
_W3C = TraceContextTextMapPropagator()


def current_traceparent() -> str:
    """Return the current span as a `traceparent`, or nothing if there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def span(
    name: str, attributes: Mapping[str, str] | None = None, kind: SpanKind = SpanKind.INTERNAL, parent: Context | None = None
) -> Generator[Span]:
    """Begin a span, and make it the current one. Exceptions are not recorded, since their texts may quote rows."""
    with _tracer.start_as_current_span(name, parent, kind, attributes, record_exception=False, set_status_on_exception=False) as current:
        yield current


@contextmanager
def publishing(message: Message) -> Generator[str]:
    """Trace the publishing of a message, as a part of the trace that wrote it, and return the `traceparent` to send."""
    if not message.traceparent:
        yield ""
        return
    attributes = {**_about(message), "messaging.operation.name": "publish", "messaging.operation.type": "send"}
    with span(f"publish {message.event_type}", attributes, SpanKind.PRODUCER, _parent_of(message)):
        yield current_traceparent()


def traced(consumer: str, process: Processor) -> Processor:
    """Trace the processing of messages, each as a part of the trace that wrote it. Queries are the children of its span."""

    async def process_traced(message: Message) -> Verdict | Failed:
        attributes = {
            **_about(message),
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": consumer,
        }
        with span(f"process {consumer}", attributes, SpanKind.CONSUMER, _parent_of(message)) as current:
            verdict = await process(message)
            current.set_attribute("shop.verdict", name_of(verdict))
            if verdict is Verdict.DEAD or isinstance(verdict, Failed):
                current.set_status(Status(StatusCode.ERROR))
            return verdict

    return process_traced


def _parent_of(message: Message) -> Context:
    # Empty, and so no parent, if the `traceparent` is not valid.
    return _W3C.extract({"traceparent": message.traceparent}, Context())


def _about(message: Message) -> dict[str, str]:
    return {
        "messaging.system": "nats",
        "messaging.destination.name": "shop.events",
        "messaging.message.id": str(message.id),
        "shop.event_type": message.event_type,
    }
