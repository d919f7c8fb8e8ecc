"""Health checks of the service and its dependencies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# So that there is an answer within five seconds, for which a load balancer or a person waits.
_TIMEOUT = 4.0


class Unhealthy(Exception):
    """The result of a failed check; its text says what is wrong."""


Probe: TypeAlias = Callable[[], Awaitable[str]]
"""Checks one dependency and returns a short description of its state. Raises `Unhealthy`."""


@dataclass(frozen=True, slots=True)
class Check:
    """A dependency to check. The service cannot work without one that `is_required`; without another it is slower or later."""

    name: str
    probe: Probe
    is_required: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one dependency, and how long the check took."""

    name: str
    is_healthy: bool
    is_required: bool
    detail: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Health:
    """The state of all dependencies. Liveness is that there is an answer at all."""

    findings: tuple[Finding, ...]

    @property
    def is_ready(self) -> bool:
        """Whether all required dependencies are healthy."""
        return all(finding.is_healthy for finding in self.findings if finding.is_required)


async def check_health(checks: Sequence[Check], seconds: float = _TIMEOUT, optional: float = _TIMEOUT) -> Health:
    """Run all checks concurrently. A check that takes longer than `seconds`, or `optional` if it is not required, is unhealthy."""
    return Health(tuple(await asyncio.gather(*(_run(check, seconds if check.is_required else optional) for check in checks))))


async def _run(check: Check, seconds: float) -> Finding:
    started = time.perf_counter()
    probing = asyncio.ensure_future(check.probe())
    try:
        async with asyncio.timeout(seconds):
            # A probe of a silent server may take a while to end after it was cancelled, which nobody waits for.
            detail, is_healthy = await asyncio.shield(probing), True
    except Unhealthy as finding:
        detail, is_healthy = str(finding), False
    except TimeoutError:
        detail, is_healthy = f"no answer within {seconds:g} s", False
    finally:
        probing.cancel()
    return Finding(check.name, is_healthy, check.is_required, detail, round((time.perf_counter() - started) * 1000, 1))
