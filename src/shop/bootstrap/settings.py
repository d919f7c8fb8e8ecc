"""The settings, as those who start the service need them."""

from __future__ import annotations

from shop.infrastructure.settings.loading import LoadedSettings, SettingsError, load_settings
from shop.infrastructure.settings.model import Settings
from shop.infrastructure.settings.proxies import trusted_networks

__all__ = ["LoadedSettings", "Settings", "SettingsError", "load_settings", "trusted_networks"]
