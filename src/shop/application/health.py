"""Health: whether the service and everything beneath it is well, as a plain function."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_TIMEOUT = 5.0


class NotWell(Exception):
    """A check's finding; its text says what is wrong."""


Probe: TypeAlias = Callable[[], Awaitable[str]]
"""Looks at one part, and says in a few words how it is. Raises `NotWell`."""


@dataclass(frozen=True, slots=True)
class Check:
    """A part to be looked at. Without one that `is_required` the service cannot do its work; without another it is slower or later."""

    name: str
    probe: Probe
    is_required: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is, and how long it took to see."""

    name: str
    is_well: bool
    is_required: bool
    detail: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Health:
    """How all parts are. Liveness is that there is an answer at all."""

    findings: tuple[Finding, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the service can do its work."""
        return all(finding.is_well for finding in self.findings if finding.is_required)

    @property
    def is_well(self) -> bool:
        """Whether every part is well."""
        return all(finding.is_well for finding in self.findings)


async def check_health(checks: Sequence[Check], seconds: float = _TIMEOUT) -> Health:
    """Look at all parts at once. One that does not answer within so many seconds is not well."""
    return Health(tuple(await asyncio.gather(*(_look(check, seconds) for check in checks))))


async def _look(check: Check, seconds: float) -> Finding:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            detail, is_well = await check.probe(), True
    except NotWell as finding:
        detail, is_well = str(finding), False
    except TimeoutError:
        detail, is_well = f"no answer within {seconds:g} s", False
    return Finding(check.name, is_well, check.is_required, detail, round((time.perf_counter() - started) * 1000, 1))
