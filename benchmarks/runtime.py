"""The run-time half: the cost of a call, in sync and async code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg

from benchmarks import filters, streams
from benchmarks.contenders import AsyncContender, Batching, Mixing
from benchmarks.contenders.distant import async_calls, sync_calls
from benchmarks.contenders.everybody import async_contenders, sync_contenders
from benchmarks.contenders.on_uvloop import run_on_uvloop
from benchmarks.distance import Distance, at_a_distance
from benchmarks.names import (
    ASYNC,
    ASYNCPG,
    BY_HAND,
    DIRECT,
    FILTER,
    GENERATED,
    INSERT,
    INSERTS,
    MANY_INSERTS,
    MANY_LOOKUPS,
    MANY_ROWS,
    ONE_ROW,
    PEOPLE,
    STREAMS,
    TASKS,
    UPDATE,
    UVLOOP,
    mixed,
    readers,
    stream,
)
from benchmarks.place import Place
from benchmarks.processors import on_one_processor
from benchmarks.results import Measurement
from benchmarks.rows import new_people
from benchmarks.timing import Call, Turns, take_turns, take_turns_async

_KEY = PEOPLE // 2
_BALANCE = Decimal("12.50")
_READS = 256
# One statement in so many of the mixed case writes.
_WRITES = 4
Wanted = Callable[[str], bool]


def measurements(place: Place, rounds: int, wanted: Wanted) -> Iterator[Measurement]:
    """Measure the cases whose names are selected."""
    with _emptying(place) as empty, sync_contenders(place) as contenders:
        with on_one_processor(place.url):
            for turns, calls in _single(contenders, "", rounds, empty):
                if wanted(turns.case):
                    yield from take_turns(turns, calls)
        for turns, calls in _many(contenders, "", rounds, empty):
            if wanted(turns.case):
                yield from take_turns(turns, calls)
    yield from asyncio.run(_async_measurements(place, rounds, wanted))
    yield from run_on_uvloop(_uvloop_measurements(place, rounds, wanted))
    yield from _distant_measurements(place, rounds, wanted)
    if wanted(FILTER):
        yield from filters.measurements(place, rounds)
    for rows in STREAMS:
        if wanted(stream(rows)):
            yield from streams.measurements(place, stream(rows), rows, max(1, rounds // (10 if rows == STREAMS[0] else 20)))


async def _async_measurements(place: Place, rounds: int, wanted: Wanted) -> list[Measurement]:
    found: list[Measurement] = []
    with _emptying(place) as empty:
        async with async_contenders(place) as contenders:
            with on_one_processor(place.url):
                for turns, calls in _single(contenders, ASYNC, rounds, empty):
                    if wanted(turns.case):
                        found += await take_turns_async(turns, calls)
            on_pools = *_on_a_pool(contenders, rounds), _mixed_on_a_pool(contenders, rounds)
            for turns, calls in (*_many(contenders, ASYNC, rounds, empty), *on_pools):
                if wanted(turns.case):
                    found += await take_turns_async(turns, calls)
    return found


async def _uvloop_measurements(place: Place, rounds: int, wanted: Wanted) -> list[Measurement]:
    """The two drivers and the generated functions, on the other event loop."""
    found: list[Measurement] = []
    with _emptying(place) as empty:
        async with async_contenders(place, GENERATED, DIRECT, BY_HAND, ASYNCPG) as contenders:
            with on_one_processor(place.url):
                for turns, calls in _single(contenders, UVLOOP, rounds, empty):
                    if wanted(turns.case):
                        found += await take_turns_async(turns, calls)
    return found


def _distant_measurements(place: Place, rounds: int, wanted: Wanted) -> Iterator[Measurement]:
    """Calls to a server at a distance, and how many round trips each takes."""
    with at_a_distance(place) as distance:
        with sync_calls(distance.place) as cases:
            for case, calls in cases.items():
                if wanted(case):
                    found = take_turns(Turns("run time", case, rounds), calls)
                    trips: dict[str, int] = {}
                    for name, call in calls.items():
                        before = distance.round_trips()
                        call()
                        trips[name] = distance.round_trips() - before
                    yield from (replace(one, round_trips=trips[one.contender]) for one in found)
        yield from asyncio.run(_distant_measurements_async(distance, rounds, wanted))


async def _distant_measurements_async(distance: Distance, rounds: int, wanted: Wanted) -> list[Measurement]:
    measured: list[Measurement] = []
    async with async_calls(distance.place) as cases:
        for case, calls in cases.items():
            if wanted(f"{case}{ASYNC}"):
                found = await take_turns_async(Turns("run time", f"{case}{ASYNC}", rounds), calls)
                trips: dict[str, int] = {}
                for name, call in calls.items():
                    before = distance.round_trips()
                    await call()
                    trips[name] = distance.round_trips() - before
                measured += (replace(one, round_trips=trips[one.contender]) for one in found)
    return measured


Case = tuple[Turns, dict[str, Callable[[], Any]]]


def _single(contenders: Mapping[str, Any], colour: str, rounds: int, empty: Call) -> Iterator[Case]:
    """One call after the other, in either colour."""
    person = new_people(1)[0]

    def calls(call: Callable[[Any], Any]) -> dict[str, Callable[[], Any]]:
        return {name: partial(call, contender) for name, contender in contenders.items()}

    yield Turns("run time", f"{ONE_ROW}{colour}", rounds), calls(lambda one: one.person(_KEY))
    yield Turns("run time", f"{MANY_ROWS}{colour}", rounds), calls(lambda one: one.people(PEOPLE))
    empty()
    yield Turns("run time", f"{INSERT}{colour}", rounds), calls(lambda one: one.add(person))
    yield Turns("run time", f"{UPDATE}{colour}", rounds), calls(lambda one: one.set_balance(_KEY, _BALANCE))


def _many(contenders: Mapping[str, Any], colour: str, rounds: int, empty: Call) -> Iterator[Case]:
    """Many statements in a transaction, in every way each contender offers."""
    people, keys = new_people(INSERTS), range(1, PEOPLE + 1)
    fewer = max(1, rounds // 3)

    def ways(some: Callable[[Any], Mapping[str, Callable[[], Any]]], of: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
        return {f"{name}, {way}": run for name, contender in of.items() for way, run in some(contender).items()}

    empty()
    inserts = ways(lambda one: one.inserts(people), contenders)
    yield Turns("run time", f"{MANY_INSERTS}{colour}", fewer, warm_up=1, turn=0), inserts
    batching = {name: contender for name, contender in contenders.items() if isinstance(contender, Batching)}
    lookups = ways(lambda one: one.lookups(keys), batching)
    yield Turns("run time", f"{MANY_LOOKUPS}{colour}", fewer, warm_up=1, turn=0), lookups


def _on_a_pool(contenders: Mapping[str, AsyncContender], rounds: int) -> Iterator[Case]:
    """Tasks that divide the reads of a call, each on any connection of the pool."""
    for tasks in TASKS:
        turns = Turns("run time", readers(tasks), max(1, rounds // 3), warm_up=2, turn=0, things=_READS)
        yield turns, {name: partial(_read, contender, tasks) for name, contender in contenders.items()}


def _mixed_on_a_pool(contenders: Mapping[str, AsyncContender], rounds: int) -> Case:
    """Tasks that divide reads and writes, each on any connection of the pool and a row of its own."""
    turns = Turns("run time", mixed(TASKS[-1]), max(1, rounds // 3), warm_up=2, turn=0, things=_READS)
    return turns, {name: partial(_mix, contender, TASKS[-1]) for name, contender in contenders.items() if isinstance(contender, Mixing)}


async def _mix(contender: Mixing, tasks: int) -> None:
    async def task(key: int) -> None:
        for number in range(_READS // tasks):
            if number % _WRITES:
                await contender.pooled_person(key)
            else:
                await contender.pooled_set_balance(key, _BALANCE)

    await asyncio.gather(*(task(key) for key in range(1, tasks + 1)))


async def _read(contender: AsyncContender, tasks: int) -> None:
    async def reader() -> None:
        for _ in range(_READS // tasks):
            await contender.pooled_person(_KEY)

    await asyncio.gather(*(reader() for _ in range(tasks)))


@contextmanager
def _emptying(place: Place) -> Generator[Call]:
    """Return a function that empties the table of inserts."""
    with psycopg.connect(place.url, autocommit=True) as conn:
        yield lambda: conn.execute("TRUNCATE added")
