"""Tracing by OpenTelemetry. The generated functions make a span for each call; here is where spans go."""

from __future__ import annotations

import sys
from typing import TextIO

from shop.infrastructure.settings.model import TraceExporter


def configure_tracing(exporter: TraceExporter, stream: TextIO | None = None) -> None:
    """Write each span, once it has ended, as a line of JSON to stderr; or do nothing, and then a span costs next to nothing."""
    match exporter:
        case TraceExporter.NONE:
            return
        case TraceExporter.CONSOLE:
            pass
    # Imported here: most calls of the program trace nothing.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
    from opentelemetry.trace import set_tracer_provider

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    lines = ConsoleSpanExporter(out=stream or sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n")
    provider.add_span_processor(SimpleSpanProcessor(lines))
    set_tracer_provider(provider)
