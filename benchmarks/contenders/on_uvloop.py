"""The event loop of uvloop, which is installed only with the dependency group `bench`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run_on_uvloop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop and return its result."""
    return uvloop.run(main)
