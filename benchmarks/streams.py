"""A long result, read row by row in a process of its own: how long it takes, and how large the process grows.

python -m benchmarks.streams FOLDER_OF_THE_PACKAGE URL CONTENDER ROWS
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.names import ASYNC, ASYNCPG, BY_HAND, GENERATED, SQLC_DATACLASS
from benchmarks.place import Place
from benchmarks.results import Measurement

# The size that a `@stream` has by default.
CHUNK = 1000
SQL = "SELECT id, name, email, phone, born, seen, balance, active FROM many_people($1)"


def measurements(place: Place, case: str, rows: int, rounds: int) -> list[Measurement]:
    """Let the contenders take turns, each in a fresh process."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    peaks = dict.fromkeys(CONTENDERS, 0)
    for _ in range(rounds):
        for name in CONTENDERS:
            command = [sys.executable, "-m", "benchmarks.streams", str(place.folder / "project"), place.url, name, str(rows)]
            ran = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, stdout=subprocess.PIPE)
            seconds, peak = json.loads(ran.stdout)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    return [Measurement("run time", case, name, tuple(measured), peaks[name]) for name, measured in times.items()]


def _generated(url: str, rows: int) -> Iterator[Any]:
    from bench_db import queries
    from psycopg import connect

    with connect(url, autocommit=True) as conn:
        yield from queries.stream_people(conn, rows=rows)


async def _generated_async(url: str, rows: int) -> AsyncIterator[Any]:
    from bench_db.aio import queries
    from psycopg import AsyncConnection

    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        async for row in queries.stream_people(conn, rows=rows):
            yield row


def _by_hand(url: str, rows: int) -> Iterator[Any]:
    from psycopg import RawCursor, connect

    from benchmarks.rows import Person

    with connect(url, autocommit=True) as conn:
        for row in RawCursor(conn).stream(SQL, (rows,), binary=True, size=CHUNK):
            yield Person(*row)


async def _by_hand_async(url: str, rows: int) -> AsyncIterator[Any]:
    from psycopg import AsyncConnection, AsyncRawCursor

    from benchmarks.rows import Person

    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        async for row in AsyncRawCursor(conn).stream(SQL, (rows,), binary=True, size=CHUNK):
            yield Person(*row)


async def _asyncpg(url: str, rows: int) -> AsyncIterator[Any]:
    import asyncpg

    from benchmarks.rows import Person

    conn = await asyncpg.connect(url)
    async with conn.transaction():
        async for row in conn.cursor(SQL, rows, prefetch=CHUNK):
            yield Person(*row)
    await conn.close()


def _sqlc(url: str, rows: int) -> Iterator[Any]:
    import sqlalchemy

    from benchmarks.contenders.alchemy import sync_engine
    from benchmarks.contenders.sqlc_gen_python import Person, made

    with sync_engine(url).connect() as conn:
        for row in conn.execute(sqlalchemy.text(SQL.replace("$1", ":p1")), {"p1": rows}):
            yield made(Person, row)


async def _sqlc_async(url: str, rows: int) -> AsyncIterator[Any]:
    import sqlalchemy

    from benchmarks.contenders.alchemy import async_engine, in_transactions
    from benchmarks.contenders.sqlc_gen_python import Person, made

    async with in_transactions(async_engine(url)).connect() as conn:
        async for row in await conn.stream(sqlalchemy.text(SQL.replace("$1", ":p1")), {"p1": rows}):
            yield made(Person, row)


def _counting(stream: Callable[[str, int], Iterator[Any]]) -> Callable[[str, int], int]:
    return lambda url, rows: sum(1 for _ in stream(url, rows))


def _counting_async(stream: Callable[[str, int], AsyncIterator[Any]]) -> Callable[[str, int], int]:
    async def count(url: str, rows: int) -> int:
        counted = 0
        async for _ in stream(url, rows):
            counted += 1
        return counted

    return lambda url, rows: asyncio.run(count(url, rows))


CONTENDERS: dict[str, Callable[[str, int], int]] = {
    GENERATED: _counting(_generated),
    BY_HAND: _counting(_by_hand),
    SQLC_DATACLASS: _counting(_sqlc),
    f"{GENERATED}{ASYNC}": _counting_async(_generated_async),
    f"{BY_HAND}{ASYNC}": _counting_async(_by_hand_async),
    ASYNCPG: _counting_async(_asyncpg),
    f"{SQLC_DATACLASS}{ASYNC}": _counting_async(_sqlc_async),
}


def _peak_memory() -> int:
    """The largest resident memory of this process in KiB: on Linux its own, where `getrusage` begins with its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(package: str, url: str, contender: str, rows: str) -> None:
    """Read the rows once; connecting and importing are in the time, as they are in everybody's."""
    sys.path.insert(0, package)
    started = time.perf_counter()
    counted = CONTENDERS[contender](url, int(rows))
    seconds = time.perf_counter() - started
    if counted != int(rows):
        raise SystemExit(f"{contender} read {counted} rows")
    sys.stdout.write(json.dumps([seconds, _peak_memory()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
