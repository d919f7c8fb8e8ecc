"""A pool that lends connections again as soon as the server accepts them, however long it did not.

psycopg_pool waits 1, 2, 4, 8 and more seconds between its attempts, both to open a connection and to find one that is not broken. Meanwhile
callers fail although the server has long returned.
"""

from __future__ import annotations

import time
from typing import Any, Final

from psycopg import Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from shop.infrastructure.postgres.connection import Connection

# Seconds after which the pool tries to connect again.
_RECONNECT_AFTER: Final = 0.5


class RecoveringPool(AsyncConnectionPool[Connection]):
    """A pool that checks each connection before it is lent, within `check_within` seconds, or without a limit not at all."""

    def __init__(self, conninfo: str, *, check_within: float | None, **options: Any) -> None:
        super().__init__(conninfo, reconnect_timeout=_RECONNECT_AFTER, reconnect_failed=lambda _: self._reconnect(), **options)
        self._check_within = check_within
        self._asking = 0
        self._lent = 0

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 as the base class has it
        """Return a connection that works. Raises `PoolTimeout`."""
        limit = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            self._asking += 1
            try:
                conn = await super().getconn(deadline - time.monotonic())
            except PoolTimeout:
                raise PoolTimeout(f"no connection within {limit:g} s") from None
            finally:
                self._asking -= 1
            self._lent += 1
            if self._check_within is None:
                return conn
            try:
                with conn.waiting(self._check_within):
                    await self.check_connection(conn)
            except Error:
                # Replaced at once: the pool opens another connection for each that is returned broken.
                await self.putconn(conn)
            except BaseException:
                await self.putconn(conn)
                raise
            else:
                return conn

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back."""
        self._lent -= 1
        await super().putconn(conn)

    async def can_lend(self, seconds: float) -> bool:
        """Return whether the pool has connections. One that is busy, so that callers have to wait, has."""
        try:
            async with self.connection(seconds):
                return True
        except PoolTimeout:
            return self._lent > 0

    async def _reconnect(self) -> None:
        """Try to connect again, if there is a need for a connection: the pool has given up."""
        found = self.get_stats()
        # psycopg_pool's own number of those who wait includes those who no longer do.
        if not found["pool_available"] and (self._asking or found["pool_size"] < found["pool_min"]):
            # There are no idle connections to check, so this only adds one.
            await self.check()
