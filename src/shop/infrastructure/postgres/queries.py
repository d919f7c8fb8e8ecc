"""Calls the generated functions on one connection, with a log line for each, until the connection is returned to the pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg import AsyncConnection

from shop.application.cancellation import cancellation_first
from shop.application.transactions.failures import UnitOfWorkClosed

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("shop.queries")


class Queries:
    """How the adapters in this package access the database.

    Each call is logged at debug level with the query's name and duration. Parameters are never logged: some are secrets, and a list of the
    secret ones would become outdated.
    """

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self._conn = conn
        self._is_closed = False

    async def __call__(self, query: Callable[Concatenate[AsyncConnection[Any], P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a generated function. Raises `UnitOfWorkClosed` after the end of the transaction."""
        if self._is_closed:
            raise UnitOfWorkClosed(f"{_name(query)} was called after the end of its transaction")
        started = time.perf_counter()
        try:
            # Here too, so that no repository mistakes an error caused by cancellation for an outcome.
            with cancellation_first():
                return await query(self._conn, *args, **kwargs)
        finally:
            if _log.isEnabledFor(logging.DEBUG):
                milliseconds = round((time.perf_counter() - started) * 1000, 3)
                _log.debug("query", extra={"query": _name(query), "ms": milliseconds})

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """Begin a savepoint, or a transaction if there is none; it is rolled back if its block raises."""
        if self._is_closed:
            raise UnitOfWorkClosed("a savepoint was begun after the end of its transaction")
        return self._conn.transaction()

    def close(self) -> None:
        """Reject all later calls."""
        self._is_closed = True


def _name(query: Callable[..., object]) -> str:
    module = getattr(query, "__module__", "").rpartition(".")[2]
    return f"{module}.{getattr(query, '__name__', repr(query))}"
