"""The state of a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shop.application.health import Check
from shop.web.metrics import Metrics


@dataclass
class State:
    """What the server knows of itself."""

    checks: Sequence[Check]
    metrics: Metrics = field(default_factory=Metrics)
    is_stopping: bool = False
