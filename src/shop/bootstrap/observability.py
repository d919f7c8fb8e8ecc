"""Logs and traces, as those who start the service need them."""

from __future__ import annotations

from shop.infrastructure.logging import configure_logging, prepare_log_lines
from shop.infrastructure.spans import Span, read_spans
from shop.infrastructure.tracing import configure_tracing

__all__ = ["Span", "configure_logging", "configure_tracing", "prepare_log_lines", "read_spans"]
