"""Sampling: what is traced. Imported with the SDK of OpenTelemetry, which most calls of the program do not need."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes


class OwnDecision(Sampler):
    """Asks another sampler about each request as about the first span of a trace, whatever the client's `traceparent` says of sampling.

    A client may choose the id of the trace. Whether it is recorded is up to the operator: otherwise a client could hide its requests, with
    all that follows from them, or have each of them recorded. All other spans have parents of this service, which decide as usual.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the decision about a span."""
        # An empty context has no parent; None would be the current one.
        parent = Context() if kind is SpanKind.SERVER else parent_context
        return self._sampler.should_sample(parent, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return the description."""
        return f"OwnDecision({self._sampler.get_description()})"
