"""The monitoring endpoint of NATS, which reports what clients cannot ask for."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

from shop.application.health import Unhealthy

_TIMEOUT = 3.0


async def sync_policy(monitoring_url: str) -> str:
    """Check that JetStream syncs messages to disk before it acknowledges them. Raises `Unhealthy`."""
    try:
        text = await asyncio.to_thread(_get, f"{monitoring_url.rstrip('/')}/varz")
        config: dict[str, Any] = json.loads(text)["jetstream"]["config"]
        if config.get("sync_always", False):
            return "sync_interval=always"
        interval = timedelta(microseconds=config["sync_interval"] / 1000)
    except OSError as error:
        raise Unhealthy(f"the monitoring endpoint cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unhealthy("the monitoring endpoint is not that of NATS with JetStream") from error
    raise Unhealthy(
        f"sync_interval={interval.total_seconds():g}s: a power failure can lose the messages acknowledged in that time; set it to always"
    )


def _get(url: str) -> bytes:
    # The settings allow only http and https.
    with urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310 as above
        content: bytes = response.read()
        return content
