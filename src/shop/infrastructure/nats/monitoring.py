"""The monitoring endpoint of NATS, which reports what clients cannot ask for."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from shop.application.health import Unhealthy

_TIMEOUT = 3.0


async def sync_policy(monitoring_url: str) -> str:
    """Check that JetStream syncs messages to disk before it acknowledges them. Raises `Unhealthy`."""
    try:
        config: dict[str, Any] = json.loads(await _get(monitoring_url, "varz"))["jetstream"]["config"]
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


async def require_storage(monitoring_url: str) -> None:
    """Check that JetStream stores messages, as far as its endpoint says: a failed write, or a full store. Raises `Unhealthy`.

    `sync_policy` reports an endpoint that cannot be read.
    """
    try:
        health: dict[str, Any] = json.loads(await _get(monitoring_url, "healthz"))
        jetstream: dict[str, Any] = json.loads(await _get(monitoring_url, "varz"))["jetstream"]
        limit, used = jetstream["config"]["max_storage"], jetstream["stats"]["storage"]
        is_full = 0 < limit <= used
    except (OSError, ValueError, KeyError, TypeError):
        return
    if health.get("status") != "ok":
        raise Unhealthy(
            f"NATS says: {health.get('error') or health.get('status')}; after a failed write it stores nothing until it is restarted"
        )
    if is_full:
        raise Unhealthy(f"the store is full: {used} of {limit} bytes (max_file_store), and nothing more is stored")


async def _get(monitoring_url: str, name: str) -> bytes:
    return await asyncio.to_thread(_read, f"{monitoring_url.rstrip('/')}/{name}")


def _read(url: str) -> bytes:
    try:
        # The settings allow only http and https.
        with urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310 as above
            content: bytes = response.read()
    except HTTPError as error:
        # Its body says what is wrong.
        with error:
            content = error.read()
    return content
