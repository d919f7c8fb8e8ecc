"""The composition root: the only package that imports adapters."""

from shop.bootstrap.adapters import Broker
from shop.bootstrap.administration import grant_to, maintain_audit_log
from shop.bootstrap.checks import health_checks
from shop.bootstrap.consumers import REQUIRED_BY, ConsumerName
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.infrastructure.logging import configure_logging
from shop.infrastructure.postgres.administration.owner import NotTheOwner
from shop.infrastructure.postgres.pool import DatabaseNotReady
from shop.infrastructure.settings.loading import LoadedSettings, SettingsError, load_settings
from shop.infrastructure.settings.model import LogFormat, LogLevel, Settings, TraceExporter
from shop.infrastructure.settings.proxies import trusted_networks
from shop.infrastructure.spans import Span, read_spans
from shop.infrastructure.tracing import configure_tracing

__all__ = [
    "REQUIRED_BY",
    "Adapters",
    "Broker",
    "ConsumerName",
    "DatabaseNotReady",
    "LoadedSettings",
    "LogFormat",
    "LogLevel",
    "NotTheOwner",
    "Settings",
    "SettingsError",
    "Shop",
    "Span",
    "TraceExporter",
    "configure_logging",
    "configure_tracing",
    "grant_to",
    "health_checks",
    "load_settings",
    "maintain_audit_log",
    "open_shop",
    "read_spans",
    "trusted_networks",
]
