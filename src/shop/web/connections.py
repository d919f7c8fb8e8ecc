"""How many connections a server has: in total, below its limit of open files, and of one address."""

from __future__ import annotations

import logging
import resource
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

_log = logging.getLogger("shop.http")

# How many connections asyncio accepts before it looks at the first of them; the kernel queues as many.
BACKLOG: Final = 128
# Files that are no connections of clients: of the program, the pools, Redis, NATS and health checks.
_RESERVED: Final = 64
_FEWEST: Final = 16


class TooFewFiles(Exception):
    """The limit of open files leaves too few for clients. The message says how many are needed."""


class Connection(Protocol):
    """A connection of a client."""

    def close_idle(self) -> None:
        """Close a connection on which no request is being answered."""
        ...


@dataclass(slots=True)
class Connections:
    """The open connections of a server.

    Where there are `most`, a new one displaces the one that has been idle, or unfinished in its headers, for the longest time; so those who
    open connections and send nothing keep nobody out. `most_of_address` is the limit for each address, for which proxies have none.
    """

    most: int = 1000
    most_of_address: int = 100
    header_seconds: float = 10.0
    request_seconds: float = 30.0
    _open: dict[Connection, str | None] = field(init=False, default_factory=dict["Connection", "str | None"])
    _of_address: Counter[str] = field(init=False, default_factory=Counter[str])
    _idle: dict[Connection, None] = field(init=False, default_factory=dict["Connection", None])

    def add(self, connection: Connection, address: str | None) -> bool:
        """Add an idle connection if there is room for it, and return whether there was. Without an address only the total counts."""
        if address is not None and self._of_address[address] >= self.most_of_address:
            return False
        if len(self._open) >= self.most and self._idle:
            displaced = next(iter(self._idle))
            self.remove(displaced)
            displaced.close_idle()
        if len(self._open) >= self.most:
            return False
        self._open[connection] = address
        self._idle[connection] = None
        if address is not None:
            self._of_address[address] += 1
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a connection, if it is there."""
        address = self._open.pop(connection, None)
        self._idle.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def mark(self, connection: Connection, *, is_idle: bool) -> None:
        """Note whether a connection is idle, from now on."""
        self._idle.pop(connection, None)
        if is_idle and connection in self._open:
            self._idle[connection] = None


def most_connections(wanted: int, pooled: int) -> int:
    """Return how many connections of clients fit into the limit of open files, which is raised as far as it may be. Raises `TooFewFiles`.

    Args:
        wanted: the limit of the settings.
        pooled: the connections that the pools may have.
    """
    reserved = _RESERVED + BACKLOG + pooled
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + reserved:
        soft = wanted + reserved if hard == resource.RLIM_INFINITY else min(hard, wanted + reserved)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted + reserved:
        return wanted
    if soft - reserved < _FEWEST:
        raise TooFewFiles(f"the limit of open files (ulimit -n) is {soft}, and the service needs {reserved + _FEWEST}")
    _log.warning("%d connections instead of http_connections, which is %d: the limit of open files is %d", soft - reserved, wanted, soft)
    return soft - reserved
