"""Status messages: a process says regularly that it works, to whoever listens. They are not stored."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Protocol

from pydantic import BaseModel, Field

from shop.application.messaging.broker import BrokerUnavailable


class Status(BaseModel):
    """What a process says of itself."""

    name: str
    """Its command, as in `consume.sales`."""
    host: str
    process: int
    seconds: Annotated[int, Field(description="For how long it has been running.")] = 0
    is_stopping: bool = False


class StatusSender(Protocol):
    """Sends status messages."""

    async def announce(self, status: Status) -> None:
        """Send a status message. Raises `BrokerUnavailable`."""
        ...


class StatusListener(Protocol):
    """Receives status messages."""

    async def listen(self, seconds: float) -> Sequence[Status]:
        """Return the latest status of each process that sent one within this time, by name. Raises `BrokerUnavailable`."""
        ...


@asynccontextmanager
async def announcing(name: str, sender: StatusSender, interval: float = 10.0) -> AsyncGenerator[None]:
    """Announce this process at once, then every `interval` seconds until the end of the block, and that it is stopping at last."""
    status = Status(name=name, host=socket.gethostname(), process=os.getpid())
    started = time.monotonic()

    def now() -> Status:
        return status.model_copy(update={"seconds": int(time.monotonic() - started)})

    async def announce_regularly() -> None:
        while True:
            with suppress(BrokerUnavailable):
                await sender.announce(now())
            await asyncio.sleep(interval)

    task = asyncio.create_task(announce_regularly())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(BrokerUnavailable):
            await sender.announce(now().model_copy(update={"is_stopping": True}))
