"""A proxy between the service and a server, which breaks connections in the ways in which networks and servers do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final, TypeAlias

from .postgres_protocol import Commits, Frames, ends_commit

Upstream: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Fault(StrEnum):
    """What may happen to a request and its answer."""

    CUT_BEFORE = "cut before"
    """The request does not arrive."""
    CUT_DURING = "cut during"
    """The request arrives in part."""
    CUT_UNDERWAY = "cut underway"
    """The request arrives, and the connection is closed at the same time."""
    CUT_AFTER = "cut after"
    """The request is carried out; its answer does not arrive."""
    LATE = "late"
    """The client's connection is closed, and the request arrives later."""
    TRUNCATED = "truncated answer"
    """The answer arrives in part."""
    RESET = "reset"
    """Both connections are reset."""
    DELAY = "delay"
    """The request arrives later."""
    HALF_OPEN = "half-open"
    """The connection stays, and nothing arrives any more."""
    SILENT = "silent after"
    """The request is carried out; the connection stays, and nothing arrives any more."""


_OF_THE_ANSWER: Final = frozenset({Fault.CUT_AFTER, Fault.TRUNCATED, Fault.SILENT})
_OF_SILENCE: Final = frozenset({Fault.HALF_OPEN, Fault.SILENT})
# Without a request, nothing can arrive in part or later.
_OF_NO_CONNECTION: Final = frozenset({Fault.RESET, Fault.CUT_BEFORE, Fault.CUT_DURING, Fault.CUT_UNDERWAY, Fault.LATE})
# Rarely silent: each such connection costs its client seconds.
_WEIGHTS: Final = {fault: 1 if fault in _OF_SILENCE else 10 for fault in Fault}


class Moment(StrEnum):
    """When a fault happens."""

    CONNECT = "connection"
    REQUEST = "request"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Rates:
    """The probabilities of a fault, and the weights of the kinds."""

    connect: float = 0.0
    request: float = 0.0
    commit: float = 0.0
    weights: dict[Fault, int] = field(default_factory=lambda: dict(_WEIGHTS))

    def draw(self, moment: Moment, chance: Random) -> Fault | None:
        """Return the fault of this moment, if there is one."""
        rate = {Moment.CONNECT: self.connect, Moment.REQUEST: self.request, Moment.COMMIT: self.commit}[moment]
        if chance.random() >= rate:
            return None
        return chance.choices(list(self.weights), list(self.weights.values()))[0]


class Proxy:
    """Forwards connections to a server. The n-th connection has the same faults at the same requests whenever the seed is the same."""

    def __init__(self, name: str, upstream: Upstream, seed: int = 0, rates: Rates = Rates(), *, is_postgres: bool = False) -> None:
        self.name = name
        self.rates = rates
        self.is_down = False
        self.counts: Counter[tuple[Moment, Fault]] = Counter()
        self.defects: list[Exception] = []
        self.is_postgres = is_postgres
        self.upstream = upstream
        self._seed = seed
        self._accepted = 0
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port on which it listens, on the loopback interface."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def calm(self) -> None:
        """End all faults, and the connections that have one."""
        self.rates, self.is_down = Rates(), False
        self.break_all()
        await self.ended()

    async def ended(self) -> None:
        """Wait until all connections have ended."""
        await asyncio.gather(*self._links)

    def break_all(self) -> None:
        """Reset all connections."""
        for link in self._links.values():
            link.end(reset=True)

    async def stop(self) -> None:
        """Stop listening, and end all connections."""
        assert self._server is not None
        self._server.close()
        await self.calm()
        await self._server.wait_closed()

    def record(self, moment: Moment, chance: Random) -> Fault | None:
        """Draw the fault of a moment, and count it."""
        fault = self.rates.draw(moment, chance)
        if fault is not None:
            self.counts[moment, fault] += 1
        return fault

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        link = _Link(self, reader, writer, Random(f"{self._seed} {self.name} {self._accepted}"))  # noqa: S311 repeatable
        task = asyncio.create_task(link.run())
        self._links[task] = link
        task.add_done_callback(self._links.pop)


class _Link:
    """One connection of a client, and one to the server."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: Random) -> None:
        self._proxy = proxy
        self._reader = reader
        self._client = writer
        self._server: asyncio.StreamWriter | None = None
        self._chance = chance
        self._commits = Commits()
        self._is_silent = False
        # The fault of the next answer, and whether that is the answer to COMMIT.
        self._answer: tuple[Fault, Moment] | None = None
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Forward until one side closes, or a fault ends the connection."""
        try:
            fault = self._proxy.record(Moment.CONNECT, self._chance)
            if self._proxy.is_down or fault in _OF_NO_CONNECTION:
                _close(self._client, reset=True)
            elif fault in _OF_SILENCE:
                await self._ended.wait()
            else:
                await self._connect(fault)
        except OSError:
            # Reset by either side, or the server does not run.
            pass
        finally:
            self.end()
            for writer in (self._client, self._server):
                if writer is not None:
                    with suppress(OSError):
                        await writer.wait_closed()

    async def _connect(self, fault: Fault | None) -> None:
        if fault is Fault.DELAY:
            await self._pause()
        reader, self._server = await self._proxy.upstream()
        if fault is not None and fault in _OF_THE_ANSWER:
            self._answer = fault, Moment.REQUEST
        waits = [asyncio.create_task(wait) for wait in (self._requests(self._server), self._answers(reader), self._ended.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            for failed in await asyncio.gather(*waits, return_exceptions=True):
                # A lost connection is nothing unusual here.
                if isinstance(failed, Exception) and not isinstance(failed, OSError):
                    self._proxy.defects.append(failed)

    def end(self, *, reset: bool = False) -> None:
        """Close both connections."""
        self._ended.set()
        _close(self._client, reset=reset)
        if self._server is not None:
            _close(self._server, reset=reset)

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.001, 0.06))

    async def _requests(self, server: asyncio.StreamWriter) -> None:
        frames = Frames(is_client=True)
        while data := await self._reader.read(65536):
            if self._is_silent:
                continue
            if not self._proxy.is_postgres:
                if not await self._forward(server, b"", data, Moment.REQUEST):
                    return
                continue
            before, units = b"", frames.feed(data)
            for number, unit in enumerate(units):
                if self._commits.is_commit(unit):
                    rest = b"".join(units[number:])
                    if not await self._forward(server, before, rest, Moment.COMMIT):
                        return
                    break
                before += unit
            else:
                if before and not await self._forward(server, b"", before, Moment.REQUEST):
                    return

    async def _forward(self, server: asyncio.StreamWriter, before: bytes, request: bytes, moment: Moment) -> bool:
        """Forward what came before the request, and the request if its fault allows it. Return whether the connection goes on."""
        server.write(before)
        fault = self._proxy.record(moment, self._chance)
        if fault is not None and fault in _OF_THE_ANSWER:
            self._answer = fault, moment
        match fault:
            case Fault.CUT_BEFORE | Fault.RESET:
                await server.drain()
                self.end(reset=fault is Fault.RESET)
                return False
            case Fault.CUT_DURING:
                server.write(request[: self._chance.randrange(1, len(request)) if len(request) > 1 else 0])
                await server.drain()
                self.end()
                return False
            case Fault.CUT_UNDERWAY:
                server.write(request)
                await server.drain()
                self.end()
                return False
            case Fault.LATE:
                _close(self._client, reset=True)
                await self._pause()
                server.write(request)
                await server.drain()
                return False
            case Fault.HALF_OPEN:
                self._is_silent = True
                return True
            case Fault.DELAY:
                await self._pause()
            case _:
                pass
        server.write(request)
        await server.drain()
        return True

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        frames = Frames(is_client=False)
        while data := await reader.read(65536):
            units = frames.feed(data) if self._proxy.is_postgres else [data]
            if self._is_silent or not units:
                continue
            fault, moment = self._answer or (None, Moment.REQUEST)
            at = 0 if fault is not None else len(units)
            if moment is Moment.COMMIT:
                # The answers of the batch before the COMMIT arrive.
                at = next((number for number, unit in enumerate(units) if ends_commit(unit)), len(units))
            passed, answer = b"".join(units[:at]), b"".join(units[at:])
            if answer and fault is Fault.TRUNCATED:
                passed += answer[: self._chance.randrange(len(answer))]
            self._client.write(passed)
            await self._client.drain()
            if answer and fault is Fault.SILENT:
                self._is_silent = True
            elif answer:
                return


def _close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset and not writer.transport.is_closing():
        connection = writer.get_extra_info("socket")
        if connection.family == socket.AF_INET:
            # Closing sends RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()


def tcp(port: int) -> Upstream:
    """Connect to a port of the loopback interface."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


def unix(path: str) -> Upstream:
    """Connect to a Unix socket."""
    return lambda: asyncio.open_unix_connection(path)


@asynccontextmanager
async def running(proxy: Proxy) -> AsyncGenerator[Proxy]:
    """Run a proxy until the end of the block."""
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
