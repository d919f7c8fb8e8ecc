"""Sync or async: the few words in which generated functions differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """The classes of psycopg and the keywords of one colour, with their space."""

    connection: str
    cursor: str
    pool: str
    define: str
    wait: str
    enter: str


SYNC = Colour("Connection", "RawCursor", "ConnectionPool", "def ", "", "with ")
ASYNC = Colour("AsyncConnection", "AsyncRawCursor", "AsyncConnectionPool", "async def ", "await ", "async with ")
