"""Sync or async: the few words in which generated functions differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """The classes of psycopg and the keywords of one colour, with their space."""

    connection: str
    cursor: str
    pool: str
    generator: str
    closing: str
    given: str
    define: str
    wait: str
    enter: str
    each: str


SYNC = Colour("Connection", "RawCursor", "ConnectionPool", "Generator", "closing", "Given", "def ", "", "with ", "for ")
ASYNC = Colour(
    "AsyncConnection",
    "AsyncRawCursor",
    "AsyncConnectionPool",
    "AsyncGenerator",
    "aclosing",
    "AsyncGiven",
    "async def ",
    "await ",
    "async with ",
    "async for ",
)
