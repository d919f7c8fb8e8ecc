"""The names of the consumers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ConsumerName(StrEnum):
    """The consumers. Each is in the registry, and the command line, the partitions and the replay of dead letters follow from that."""

    SALES = "sales"
    CACHE = "cache"
    SESSIONS = "sessions"
    NOTIFICATIONS = "notifications"


REQUIRED_BY: Final[Mapping[ConsumerName, str]] = {
    ConsumerName.CACHE: "redis_url",
    ConsumerName.SESSIONS: "redis_url",
    ConsumerName.NOTIFICATIONS: "smtp_url",
}
"""The setting without which a consumer has nothing to do, and is not in the registry."""
