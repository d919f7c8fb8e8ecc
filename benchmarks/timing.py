"""Contenders of a case take turns, so that a slow moment of the machine affects all of them."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.results import Group, Measurement

Call = Callable[[], object]
AwaitedCall = Callable[[], Awaitable[object]]

# A turn is as many calls as take about so many seconds: long compared with reading the clock and waking up.
TURN = 0.01
# One call in so many is made untimed before a turn, since the previous contender has filled the processor's caches.
_AGAIN = 5


@dataclass(frozen=True, slots=True)
class Turns:
    """How a case is measured.

    The numbers of counted rounds and of uncounted calls before them; the seconds a turn lasts (one call, if that takes longer); and the
    number of operations in a call, since the time of one is reported.
    """

    group: Group
    case: str
    rounds: int
    warm_up: int = 10
    turn: float = TURN
    things: int = 1


def take_turns(turns: Turns, contenders: Mapping[str, Call]) -> list[Measurement]:
    """Time functions in turns."""
    calls: dict[str, int] = {}
    for name, run in contenders.items():
        _timed(run, turns.warm_up)
        calls[name] = _fitting(turns, _timed(run, 1))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for name in _order(turns, contenders):
        _timed(contenders[name], calls[name] // _AGAIN)
        times[name].append(_timed(contenders[name], calls[name]) / calls[name])
    return _measurements(turns, times)


async def take_turns_async(turns: Turns, contenders: Mapping[str, AwaitedCall]) -> list[Measurement]:
    """Time coroutine functions in turns; each call is awaited before the next."""
    calls: dict[str, int] = {}
    for name, run in contenders.items():
        await _timed_async(run, turns.warm_up)
        calls[name] = _fitting(turns, await _timed_async(run, 1))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for name in _order(turns, contenders):
        await _timed_async(contenders[name], calls[name] // _AGAIN)
        times[name].append(await _timed_async(contenders[name], calls[name]) / calls[name])
    return _measurements(turns, times)


def _order(turns: Turns, names: Iterable[str]) -> Iterator[str]:
    """Shuffle the order of each round, so that none always follows the same contender, identically in each run."""
    generator, order = random.Random(turns.case), list(names)  # noqa: S311 not a secret
    gc.collect()
    gc.freeze()
    try:
        for _ in range(turns.rounds):
            generator.shuffle(order)
            for name in order:
                # The garbage of others is not collected on this contender's time; its own is.
                gc.collect()
                yield name
    finally:
        gc.unfreeze()


def _timed(run: Call, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - started


async def _timed_async(run: AwaitedCall, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        await run()
    return time.perf_counter() - started


def _fitting(turns: Turns, seconds: float) -> int:
    return max(1, round(turns.turn / seconds))


def _measurements(turns: Turns, times: Mapping[str, list[float]]) -> list[Measurement]:
    found: list[Measurement] = []
    for name, measured in times.items():
        found.append(Measurement(turns.group, turns.case, name, tuple(seconds / turns.things for seconds in measured)))
    return found
