"""Python's cyclic garbage collector, out of the way of a compilation."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """Run the block without the cyclic collector.

    A compilation makes a million small values that hold no cycles and live to its end; the collector, which walks through all of them again
    and again, took a third of the time and freed nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
