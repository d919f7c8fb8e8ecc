"""What NATS says of itself on its monitoring port, and to no client."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

from shop.application.health import NotWell

_TIMEOUT = 3.0


async def sync_policy(monitoring_url: str) -> str:
    """Say when JetStream brings messages to the disk. Raises `NotWell` where that is later than its acknowledgement."""
    try:
        text = await asyncio.to_thread(_get, f"{monitoring_url.rstrip('/')}/varz")
        config: dict[str, Any] = json.loads(text)["jetstream"]["config"]
        if config.get("sync_always", False):
            return "sync_interval=always"
        interval = timedelta(microseconds=config["sync_interval"] / 1000)
    except OSError as error:
        raise NotWell(f"cannot be asked: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NotWell("does not answer as NATS with JetStream does") from error
    raise NotWell(f"sync_interval={interval.total_seconds():g}s: a power cut may cost what was acknowledged in that time; set it to always")


def _get(url: str) -> bytes:
    # The settings allow http and https alone.
    with urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310 as above
        content: bytes = response.read()
        return content
