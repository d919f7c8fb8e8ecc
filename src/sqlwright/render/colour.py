"""Sync or async: the few words in which generated functions differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """The classes of psycopg, the names of the package's own helpers, and the keywords of one colour, with their space."""

    connection: str
    cursor: str
    pool: str
    generator: str
    closing: str
    sent_rows: str
    execute_now: str
    prefix: str
    define: str
    wait: str
    enter: str
    each: str


SYNC = Colour(
    "Connection", "RawCursor", "ConnectionPool", "Generator", "closing", "SentRows", "execute_now", "", "def ", "", "with ", "for "
)
ASYNC = Colour(
    "AsyncConnection",
    "AsyncRawCursor",
    "AsyncConnectionPool",
    "AsyncGenerator",
    "aclosing",
    "AsyncSentRows",
    "aexecute_now",
    "a",
    "async def ",
    "await ",
    "async with ",
    "async for ",
)
