"""A long result, read row by row in its own process: how long it takes, and how large the process grows.

python -m benchmarks.streams FOLDER_OF_THE_PACKAGE URL CONTENDER ROWS
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.names import ASYNC, ASYNCPG, BY_HAND, GENERATED, SQLC_DATACLASS
from benchmarks.place import Place
from benchmarks.results import Measurement

# The default chunk size of `@stream`.
CHUNK = 1000
# The rows of the warm-up.
_FIRST = 10
# A short stream is repeated for so many seconds.
_AT_LEAST = 0.3
SQL = "SELECT id, name, email, phone, born, seen, balance, active FROM many_people($1)"

Stream = Callable[[int], Iterator[Any]]
AsyncStream = Callable[[int], AsyncIterator[Any]]
# From a URL and a number of rows to the rows read and the seconds taken, the median if they were read more than once.
Timed = Callable[[str, int], tuple[int, float]]


def measurements(place: Place, case: str, rows: int, rounds: int) -> list[Measurement]:
    """Let the contenders take turns, each in a fresh process."""
    taking_part = [name for name in CONTENDERS if rows <= _TOO_SLOW.get(name, rows)]
    times: dict[str, list[float]] = {name: [] for name in taking_part}
    peaks = dict.fromkeys(taking_part, 0)
    for _ in range(rounds):
        for name in taking_part:
            command = [sys.executable, "-m", "benchmarks.streams", str(place.folder / "project"), place.url, name, str(rows)]
            ran = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, stdout=subprocess.PIPE)
            seconds, peak = json.loads(ran.stdout)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    return [Measurement("run time", case, name, tuple(measured), peaks[name]) for name, measured in times.items()]


@contextmanager
def _generated(url: str) -> Generator[Stream]:
    from bench_db import queries
    from psycopg import connect

    with connect(url, autocommit=True) as conn:
        yield lambda rows: queries.stream_people(conn, rows=rows)


@asynccontextmanager
async def _generated_async(url: str) -> AsyncGenerator[AsyncStream]:
    from bench_db.aio import queries
    from psycopg import AsyncConnection

    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        yield lambda rows: queries.stream_people(conn, rows=rows)


@contextmanager
def _by_hand(url: str) -> Generator[Stream]:
    from psycopg import RawCursor, connect

    from benchmarks.rows import Person

    with connect(url, autocommit=True) as conn:

        def stream(rows: int) -> Iterator[Any]:
            for row in RawCursor(conn).stream(SQL, (rows,), size=CHUNK):
                yield Person(*row)

        yield stream


@asynccontextmanager
async def _by_hand_async(url: str) -> AsyncGenerator[AsyncStream]:
    from psycopg import AsyncConnection, AsyncRawCursor

    from benchmarks.rows import Person

    async with await AsyncConnection.connect(url, autocommit=True) as conn:

        async def stream(rows: int) -> AsyncIterator[Any]:
            async for row in AsyncRawCursor(conn).stream(SQL, (rows,), size=CHUNK):
                yield Person(*row)

        yield stream


@asynccontextmanager
async def _asyncpg(url: str) -> AsyncGenerator[AsyncStream]:
    import asyncpg

    from benchmarks.rows import Person

    conn = await asyncpg.connect(url)

    async def stream(rows: int) -> AsyncIterator[Any]:
        async with conn.transaction():
            async for row in conn.cursor(SQL, rows, prefetch=CHUNK):
                yield Person(*row)

    yield stream
    await conn.close()


@contextmanager
def _sqlc(url: str) -> Generator[Stream]:
    import sqlalchemy

    from benchmarks.contenders.alchemy import sync_engine
    from benchmarks.contenders.sqlc_gen_python import Person, made

    with sync_engine(url).connect() as conn:

        def stream(rows: int) -> Iterator[Any]:
            for row in conn.execute(sqlalchemy.text(SQL.replace("$1", ":p1")), {"p1": rows}):
                yield made(Person, row)

        yield stream


@asynccontextmanager
async def _sqlc_async(url: str) -> AsyncGenerator[AsyncStream]:
    import sqlalchemy

    from benchmarks.contenders.alchemy import async_engine, in_transactions
    from benchmarks.contenders.sqlc_gen_python import Person, made

    engine = in_transactions(async_engine(url))
    async with engine.connect() as conn:

        async def stream(rows: int) -> AsyncIterator[Any]:
            async for row in await conn.stream(sqlalchemy.text(SQL.replace("$1", ":p1")), {"p1": rows}):
                yield made(Person, row)

        yield stream
    await engine.dispose()


def _timed(opened: Callable[[str], AbstractContextManager[Stream]]) -> Timed:
    def timed(url: str, rows: int) -> tuple[int, float]:
        with opened(url) as stream:
            _count(stream(_FIRST))
            times: list[float] = []
            counted = 0
            while sum(times) < _AT_LEAST:
                started = time.perf_counter()
                counted = _count(stream(rows))
                times.append(time.perf_counter() - started)
        return counted, statistics.median(times)

    return timed


def _timed_async(opened: Callable[[str], AbstractAsyncContextManager[AsyncStream]]) -> Timed:
    async def timed(url: str, rows: int) -> tuple[int, float]:
        async with opened(url) as stream:
            await _count_async(stream(_FIRST))
            times: list[float] = []
            counted = 0
            while sum(times) < _AT_LEAST:
                started = time.perf_counter()
                counted = await _count_async(stream(rows))
                times.append(time.perf_counter() - started)
        return counted, statistics.median(times)

    return lambda url, rows: asyncio.run(timed(url, rows))


def _count(rows: Iterable[Any]) -> int:
    counted = 0
    for _ in rows:
        counted += 1
    return counted


async def _count_async(rows: AsyncIterable[Any]) -> int:
    counted = 0
    async for _ in rows:
        counted += 1
    return counted


CONTENDERS: dict[str, Timed] = {
    GENERATED: _timed(_generated),
    BY_HAND: _timed(_by_hand),
    SQLC_DATACLASS: _timed(_sqlc),
    f"{GENERATED}{ASYNC}": _timed_async(_generated_async),
    f"{BY_HAND}{ASYNC}": _timed_async(_by_hand_async),
    ASYNCPG: _timed_async(_asyncpg),
    f"{SQLC_DATACLASS}{ASYNC}": _timed_async(_sqlc_async),
}
# It reads row by row through a greenlet: half a minute for what the others do in three seconds.
_TOO_SLOW = {f"{SQLC_DATACLASS}{ASYNC}": 100_000}


def _peak_memory() -> int:
    """Return the peak resident memory of this process in KiB. On Linux from /proc, since `getrusage` starts at the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(package: str, url: str, contender: str, rows: str) -> None:
    """Read the rows; imports and a first short stream are not timed."""
    sys.path.insert(0, package)
    counted, seconds = CONTENDERS[contender](url, int(rows))
    if counted != int(rows):
        raise SystemExit(f"{contender} read {counted} rows")
    sys.stdout.write(json.dumps([seconds, _peak_memory()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
