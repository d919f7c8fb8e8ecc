"""The composition root: the only package that imports adapters.

Each name is imported on its first use, since no command needs all adapters, and their clients take long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shop.bootstrap.adapters import Broker
    from shop.bootstrap.administration import grant_to, maintain_audit_log
    from shop.bootstrap.checks import health_checks
    from shop.bootstrap.consumer_names import REQUIRED_BY, ConsumerName
    from shop.bootstrap.service import Adapters, Shop, open_shop
    from shop.infrastructure.logging import configure_logging, prepare_log_lines
    from shop.infrastructure.postgres.administration.owner import NotTheOwner
    from shop.infrastructure.postgres.pool import DatabaseNotReady
    from shop.infrastructure.settings.loading import LoadedSettings, SettingsError, load_settings
    from shop.infrastructure.settings.model import LogFormat, LogLevel, Settings, TraceExporter
    from shop.infrastructure.settings.proxies import trusted_networks
    from shop.infrastructure.spans import Span, read_spans
    from shop.infrastructure.tracing import configure_tracing
else:
    from importlib import import_module

    _PLACES = {
        "Broker": "shop.bootstrap.adapters",
        "grant_to": "shop.bootstrap.administration",
        "maintain_audit_log": "shop.bootstrap.administration",
        "health_checks": "shop.bootstrap.checks",
        "REQUIRED_BY": "shop.bootstrap.consumer_names",
        "ConsumerName": "shop.bootstrap.consumer_names",
        "Adapters": "shop.bootstrap.service",
        "Shop": "shop.bootstrap.service",
        "open_shop": "shop.bootstrap.service",
        "configure_logging": "shop.infrastructure.logging",
        "prepare_log_lines": "shop.infrastructure.logging",
        "NotTheOwner": "shop.infrastructure.postgres.administration.owner",
        "DatabaseNotReady": "shop.infrastructure.postgres.pool",
        "LoadedSettings": "shop.infrastructure.settings.loading",
        "SettingsError": "shop.infrastructure.settings.loading",
        "load_settings": "shop.infrastructure.settings.loading",
        "LogFormat": "shop.infrastructure.settings.model",
        "LogLevel": "shop.infrastructure.settings.model",
        "Settings": "shop.infrastructure.settings.model",
        "TraceExporter": "shop.infrastructure.settings.model",
        "trusted_networks": "shop.infrastructure.settings.proxies",
        "Span": "shop.infrastructure.spans",
        "read_spans": "shop.infrastructure.spans",
        "configure_tracing": "shop.infrastructure.tracing",
    }

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(_PLACES[name]), name))


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
    "prepare_log_lines",
    "read_spans",
    "trusted_networks",
]
