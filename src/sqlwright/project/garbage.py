"""Python's cyclic garbage collector, disabled during a compilation and in the programs."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """Run the block without the cyclic collector.

    A compilation creates a million small values without cycles that live to its end; the collector, which traverses all of them again and
    again, took a third of the time and freed nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def never_collected() -> Generator[None]:
    """Run a program without the cyclic collector, from its imports to its exit, where Python would traverse all of them once more."""
    with uncollected():
        try:
            yield
        finally:
            gc.freeze()
