"""Connections that do not wait indefinitely for a silent server, and whose texts mean the same everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, Self

from psycopg import AsyncConnection, Error, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.errors import Diagnostic, QueryCanceled
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.waiting import wait_async

# Without them psycopg returns bytes for texts, or cannot parse dates. The environment (PGCLIENTENCODING, PGDATESTYLE, PGTZ), the URL, the
# role and the database may say otherwise. By a statement and not by libpq's `options`, which connection poolers reject.
# Warnings are needed by `NotReplicated`.
_SESSION = """
    SELECT set_config('DateStyle', 'ISO', false), set_config('TimeZone', 'UTC', false), set_config('client_min_messages', 'warning', false)
"""

# Seconds for the first statement of a connection, which has no limit of its own yet.
_SESSION_WITHIN: Final = 5.0
# Seconds for the server to end a statement whose caller was cancelled: a deadline has passed already.
_ENDED_WITHIN: Final = 1.0
# Seconds after which a cancelled wait is noticed at the latest, as psycopg has it.
_INTERVAL: Final = 0.1


class NotReplicated(OperationalError):
    """The server committed, and stopped waiting for its standbys: after a failover, what was committed may be gone."""


class Connection(AsyncConnection[TupleRow]):
    """A connection that is closed, with an `OperationalError`, if the server does not answer for `patience` seconds.

    PostgreSQL's own timeouts do not cover this: a frozen server process keeps its connections and enforces nothing, and a network may drop
    all packets.

    A commit, of a transaction or of a single statement, that synchronous replication should have delayed and that was ended early raises
    `NotReplicated`. PostgreSQL calls it a success, with a warning.
    """

    patience: float | None = None
    _is_unreplicated: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_notice_handler(self._receive_notice)

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect, with UTF-8, dates of ISO 8601 and the time zone UTC, whatever the default."""
        options["client_encoding"] = "UTF8"
        conn = await super().connect(conninfo, **options)
        try:
            with conn.waiting(_SESSION_WITHIN):
                await conn.execute(_SESSION)
                if not conn.autocommit:
                    await conn.commit()
        except BaseException:
            await conn.close()
            raise
        return conn

    async def commit(self) -> None:
        """Commit the transaction, if there is one."""
        if not self._is_idle():
            await super().commit()

    async def rollback(self) -> None:
        """Roll back the transaction, if there is one."""
        if not self._is_idle():
            await super().rollback()

    def _is_idle(self) -> bool:
        # The base class does nothing then either, but takes its lock, and a timer of `wait`. A pool commits when a block ends, and so each
        # transaction that has ended itself.
        return self.pgconn.transaction_status == TransactionStatus.IDLE and not self.pgconn.pipeline_status

    async def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:  # noqa: ASYNC109 as the base class has it
        """Wait for the server, as every call of the driver does. If cancelled, have the statement ended, or close the connection."""
        limit = asyncio.timeout(self.patience)
        # That of a statement that was cancelled is no concern of this one.
        self._is_unreplicated = False
        try:
            async with limit:
                # Not the base class's, which waits ten seconds longer for a server that is silent.
                answer = await wait_async(gen, self.pgconn.socket, interval, timeout)
        except TimeoutError:
            if not limit.expired():
                raise
            # The answer may still arrive, and would be taken for that of a later statement.
            await self.close()
            raise OperationalError(f"the server has not answered for {self.patience:g} s") from None
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._end_statement(gen)
            raise
        if self._is_unreplicated:
            raise NotReplicated("the wait for the standby was ended, so it may not have what was committed")
        return answer

    def _receive_notice(self, notice: Diagnostic) -> None:
        # By the file of PostgreSQL that raised it: the text is in the server's language, and the SQLSTATE is that of any warning.
        if notice.source_file == "syncrep.c" and notice.severity_nonlocalized == "WARNING":
            self._is_unreplicated = True

    async def _end_statement(self, gen: PQGen[Any]) -> None:
        is_usable = False
        try:
            async with asyncio.timeout(_ENDED_WITHIN):
                await self.cancel_safe()
                await wait_async(gen, self.pgconn.socket, _INTERVAL)
            is_usable = True
        except QueryCanceled:
            is_usable = True
        except (Error, TimeoutError):
            # The cancellation is what the caller has to know.
            return
        finally:
            if not is_usable:
                await self.close()

    @contextmanager
    def waiting(self, seconds: float | None) -> Generator[None]:
        """Use another limit, or none, until the end of the block."""
        patience, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = patience
