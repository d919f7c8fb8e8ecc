"""Status messages: a process says regularly that it works, to whoever listens. They are not stored."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel

from shop.application.messaging.broker import BrokerUnavailable


class Status(BaseModel):
    """What a process says of itself."""

    name: str
    """Its command, as in `consume.sales`."""
    host: str
    process: int
    started_at: datetime
    is_stopping: bool = False


class StatusSender(Protocol):
    """Sends status messages."""

    async def announce(self, status: Status) -> None:
        """Send a status message. Raises `BrokerUnavailable`."""
        ...


@asynccontextmanager
async def announcing(name: str, sender: StatusSender, interval: float = 10.0) -> AsyncGenerator[None]:
    """Announce this process at once, then every `interval` seconds until the end of the block, and that it is stopping at last."""
    status = Status(name=name, host=socket.gethostname(), process=os.getpid(), started_at=datetime.now(UTC))

    async def announce_regularly() -> None:
        while True:
            with suppress(BrokerUnavailable):
                await sender.announce(status)
            await asyncio.sleep(interval)

    task = asyncio.create_task(announce_regularly())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(BrokerUnavailable):
            await sender.announce(status.model_copy(update={"is_stopping": True}))
