"""Who decides what is traced: the operator about requests, and requests about what follows from them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_OFF, DEFAULT_ON, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from shop.infrastructure.sampling import OwnDecision

TRACE, PARENT = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331


def is_recorded(sampler: Sampler, kind: SpanKind, flags: int) -> bool:
    """Return whether a span with a parent of another process is recorded; it is of the parent's trace in any case."""
    provider = TracerProvider(sampler=OwnDecision(sampler), shutdown_on_exit=False)
    parent = NonRecordingSpan(SpanContext(TRACE, PARENT, is_remote=True, trace_flags=TraceFlags(flags)))
    span = provider.get_tracer("test").start_span("name", set_span_in_context(parent), kind)
    assert span.get_span_context().trace_id == TRACE
    return span.is_recording()


@pytest.mark.parametrize("flags", [TraceFlags.DEFAULT, TraceFlags.SAMPLED])
@pytest.mark.parametrize(("sampler", "expected"), [(DEFAULT_ON, True), (DEFAULT_OFF, False), (ALWAYS_ON, True), (ALWAYS_OFF, False)])
def test_a_client_does_not_decide_whether_its_request_is_recorded(sampler: Sampler, expected: bool, flags: int) -> None:
    assert is_recorded(sampler, SpanKind.SERVER, flags) is expected


@pytest.mark.parametrize("kind", [SpanKind.PRODUCER, SpanKind.CONSUMER])
@pytest.mark.parametrize("sampler", [DEFAULT_ON, DEFAULT_OFF])
def test_what_follows_from_a_request_is_recorded_as_it_is(sampler: Sampler, kind: SpanKind) -> None:
    assert [is_recorded(sampler, kind, flags) for flags in (TraceFlags.DEFAULT, TraceFlags.SAMPLED)] == [False, True]
