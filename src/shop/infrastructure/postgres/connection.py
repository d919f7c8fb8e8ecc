"""Connections that do not wait for a silent server for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow


class Connection(AsyncConnection[TupleRow]):
    """A connection that is closed, with an `OperationalError`, where the server has not answered for `patience` seconds.

    PostgreSQL's own limits end with the process that would keep them: one that is frozen keeps its connections and answers nothing, and
    neither does one behind a network that drops everything.
    """

    patience: float | None = None

    async def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """Do what every call of the driver comes down to."""
        limit = asyncio.timeout(self.patience)
        try:
            async with limit:
                return await super().wait(gen, *args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            # An answer to what was cut off may still come, and nobody knows to what.
            await self.close()
            raise OperationalError(f"the server has not answered for {self.patience:g} s") from None

    @contextmanager
    def waiting(self, seconds: float | None) -> Generator[None]:
        """Have another limit for the length of the block, or none."""
        patience, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = patience
