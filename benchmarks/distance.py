"""A server a millisecond away: a proxy on the loopback interface that holds back everything for half a millisecond, in both directions.

python -m benchmarks.distance SOCKET

It is a process of its own, since it would otherwise compete with the client for the interpreter. It prints its port, prints the number
of round trips at every line that it reads, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from selectors import SelectSelector
from typing import IO
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from benchmarks.place import Place

# Seconds, in each direction.
DELAY = 0.0005
_READ = 65_536


@dataclass(frozen=True, slots=True)
class Distance:
    """A place whose URL leads through the proxy, and a function that returns how many round trips there have been."""

    place: Place
    round_trips: Callable[[], int]


@contextmanager
def at_a_distance(place: Place) -> Generator[Distance]:
    """Run the proxy in front of the server."""
    server = conninfo_to_dict(place.url)
    socket = f"{server['host']}/.s.PGSQL.{server.get('port', 5432)}"
    command = [sys.executable, "-m", "benchmarks.distance", socket]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        requests, answers = _piped(proxy.stdin), _piped(proxy.stdout)

        def round_trips() -> int:
            requests.write("\n")
            requests.flush()
            return int(answers.readline())

        user = ":".join(quote(str(server[key]), safe="") for key in ("user", "password") if server.get(key))
        url = f"postgres://{user}@127.0.0.1:{int(answers.readline())}/{quote(str(server['dbname']), safe='')}?sslmode=disable"
        try:
            yield Distance(replace(place, url=url), round_trips)
        finally:
            requests.close()


def _piped(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise AssertionError
    return stream


class _Trips:
    """The longest chain of messages so far between client and server, each sent after the one before had arrived.

    Everything that a client sends before it has received an answer is part of one round trip, however it is divided into packets.
    """

    def __init__(self) -> None:
        self.count = self._reached_server = self._reached_client = 0

    def sent_by_client(self) -> int:
        self.count = self._reached_client + 1
        return self.count

    def received_by_server(self, trip: int) -> None:
        self._reached_server = trip

    def sent_by_server(self) -> int:
        return self._reached_server

    def received_by_client(self, trip: int) -> None:
        self._reached_client = trip


async def _hold_back(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, sent: Callable[[], int], received: Callable[[int], None]
) -> None:
    """Pass on everything, each part as long after its arrival as the others."""
    loop = asyncio.get_running_loop()

    def deliver(data: bytes, trip: int) -> None:
        received(trip)
        target.write(data)

    # Who hangs up may do so without having read everything.
    with suppress(ConnectionError):
        while data := await source.read(_READ):
            loop.call_later(DELAY, deliver, data, sent())
    loop.call_later(DELAY, target.close)


async def _serve(path: str) -> None:
    connections: dict[_Trips, asyncio.Task[None]] = {}

    def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        trips = _Trips()
        connections[trips] = asyncio.create_task(connect(trips, client, to_client))

    async def connect(trips: _Trips, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(path)
        await asyncio.gather(
            _hold_back(client, to_server, trips.sent_by_client, trips.received_by_server),
            _hold_back(server, to_client, trips.sent_by_server, trips.received_by_client),
        )

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    requests = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while await requests.readline():
        sys.stdout.write(f"{sum(trips.count for trips in connections)}\n")
        sys.stdout.flush()
    listening.close()


def _precise_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers do not wait for whole milliseconds, as those over epoll do."""
    return asyncio.SelectorEventLoop(SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        runner.run(_serve(sys.argv[1]))
