"""Cancellation: never an outcome, and never in the middle of what must be finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def cancellation_first() -> Generator[None]:
    """Raise the cancellation of the current task in place of an error that it caused in the block.

    A driver whose call is cancelled may raise an error of its own in cleaning up. That would look like an outcome, as a lost connection
    does, and whoever cancelled would wait for an end that does not come.
    """
    try:
        yield
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Not `from error`: its text may quote what no log is to hold.
            raise asyncio.CancelledError from None
        raise


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run what must not be cut off. A cancellation that comes meanwhile is raised at its end."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # Unlike awaiting the task, this leaves it alone when it is cancelled itself.
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Looked at, or asyncio would log it; not the cause, since its text may quote what no log is to hold.
        task.exception()
        raise cancelled
    return task.result()
