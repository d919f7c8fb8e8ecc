"""How far behind a standby is, in the times of a history: what was acknowledged before one time was replayed before another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection

from tests.shop.replication import Pair, running_pair

from .history import History


class Standby:
    """A standby beside its primary. What it has replayed is recorded in a history."""

    def __init__(self, primary: AsyncConnection[Any], standby: AsyncConnection[Any], history: History) -> None:
        self._primary = primary
        self._standby = standby
        self._history = history

    async def catch_up(self) -> None:
        """Wait until the standby has replayed all that is acknowledged."""
        acknowledged = self._history.now()
        # Commits are acknowledged when they are flushed.
        flushed = await (await self._primary.execute("SELECT pg_current_wal_flush_lsn()")).fetchone()
        while await (await self._standby.execute("SELECT pg_last_wal_replay_lsn() >= %s", flushed)).fetchone() != (True,):  # noqa: ASYNC110 the state is the server's
            await asyncio.sleep(0.01)
        self._history.replayed.append((self._history.now(), acknowledged))

    async def follow(self) -> None:
        """Record what is replayed, again and again."""
        while True:
            await self.catch_up()
            await asyncio.sleep(0.01)


def running_lagging_pair(milliseconds: int = 150) -> AbstractContextManager[Pair]:
    """Run an empty primary, and a standby that replays everything later."""
    return running_pair(of_primary="-c autovacuum=on", of_standby=f"-c recovery_min_apply_delay={milliseconds}")


@asynccontextmanager
async def followed(primary_url: str, standby_url: str, history: History) -> AsyncGenerator[Standby]:
    """Record until the end of the block what the standby has replayed, from now on."""
    async with (
        await AsyncConnection.connect(primary_url, autocommit=True) as primary,
        await AsyncConnection.connect(standby_url, autocommit=True) as conn,
    ):
        standby = Standby(primary, conn, history)
        await standby.catch_up()
        following = asyncio.create_task(standby.follow())
        try:
            yield standby
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
