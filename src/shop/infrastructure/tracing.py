"""Tracing by OpenTelemetry. The generated functions make a span for each call; here is where spans go."""

from __future__ import annotations

import sys
from pathlib import Path

from shop.infrastructure.settings.model import TraceExporter
from shop.infrastructure.spans import resource

_MIB = 2**20


def configure_tracing(to: TraceExporter, file: Path, file_mib: int) -> None:
    """Write each span, once it has ended, as a line of JSON; or do nothing, and then a span costs next to nothing.

    A file that cannot be written loses spans, which is logged, and fails nothing.
    """
    if to is TraceExporter.NONE:
        return
    # Imported here: most calls of the program trace nothing.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter
    from opentelemetry.trace import set_tracer_provider

    from shop.infrastructure.sampling import OwnDecision
    from shop.infrastructure.span_file import SpanFile

    exporter: SpanExporter
    match to:
        case TraceExporter.CONSOLE:
            exporter = ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n")
        case TraceExporter.FILE:
            exporter = SpanFile(file, file_mib * _MIB)
    provider = TracerProvider(resource=Resource.create(resource()))
    # The one that OTEL_TRACES_SAMPLER names.
    provider.sampler = OwnDecision(provider.sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_tracer_provider(provider)
