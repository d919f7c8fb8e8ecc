"""Cancellation: never mistaken for an outcome, and deferred where work must be finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def cancellation_first() -> Generator[None]:
    """Raise the cancellation of the current task instead of an error that it caused in the block.

    A driver whose call is cancelled may raise its own error while it cleans up. That error would look like an outcome, such as a lost
    connection, and the task would go on.
    """
    try:
        yield
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Not `from error`: its text may quote values that must not be logged.
            raise asyncio.CancelledError from None
        raise


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. A cancellation that arrives in the meantime is raised afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # Unlike awaiting the task, a cancelled wait does not cancel it.
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Retrieved, or asyncio would log it; not the cause, since its text may quote values that must not be logged.
        task.exception()
        raise cancelled
    return task.result()
